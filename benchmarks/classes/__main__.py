"""`python -m benchmarks.classes`: judge the shipped classifier on held-back steel, and write its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.classes.evaluations import evaluate, load, save
from benchmarks.classes.page import classes_page, confusion_svg, real_sets, reliability_svg
from benchmarks.classes.sets import judged_sets
from models.classes.classifier import DEFAULT
from models.classes.recipe import load_class_recipe
from models.segmenter import Segmenter

DOCS = Path(__file__).resolve().parents[2] / "docs"
NETWORKS = ("coilnet-m", "csnet-x1")
"""Whose maps tell the findings, as they may on the line."""


def main(
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="COILWATCH_DATA", help="Folder of the data sets.", show_default="only write the page"
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Shipped classifier.")] = DEFAULT,
) -> None:
    """Measure where data is given, and write docs/classes.md with its pictures, all to be committed."""
    recipe = load_class_recipe(model)
    if data is not None:
        maps = {name: Segmenter.open(name).segment_image for name in NETWORKS}
        print(save(evaluate(model, judged_sets(data, recipe, maps))))
    evaluation = load(model)
    real = real_sets(evaluation)
    figures = DOCS / "figures"
    figures.mkdir(exist_ok=True)
    (DOCS / "classes.md").write_text(classes_page(evaluation, recipe), encoding="utf-8")
    (figures / "classes-confusion.svg").write_text(confusion_svg(evaluation, real), encoding="utf-8")
    (figures / "classes-reliability.svg").write_text(reliability_svg(real), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
