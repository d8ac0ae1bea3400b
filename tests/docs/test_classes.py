"""docs/classes.md is what the committed evaluation says, and that is of the classifier that ships."""

from __future__ import annotations

from pathlib import Path

from benchmarks.classes.evaluations import load
from benchmarks.classes.page import classes_page, confusion_svg, real_sets, reliability_svg
from models.classes.classifier import DEFAULT
from models.classes.recipe import load_class_recipe
from models.classes.weights import load_classifier

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_shows_the_evaluation() -> None:
    evaluation = load(DEFAULT)
    real = real_sets(evaluation)
    written = {
        DOCS / "classes.md": classes_page(evaluation, load_class_recipe(DEFAULT)),
        DOCS / "figures" / "classes-confusion.svg": confusion_svg(evaluation, real),
        DOCS / "figures" / "classes-reliability.svg": reliability_svg(real),
    }
    for path, text in written.items():
        assert path.read_text("utf-8") == text, "run python -m benchmarks.classes"


def test_it_is_of_the_classifier_that_ships() -> None:
    evaluation, (_, info) = load(DEFAULT), load_classifier(DEFAULT)
    assert (evaluation.version, evaluation.digest) == (info.version, info.digest)
    assert evaluation.classes == info.classes == load_class_recipe(DEFAULT).classes


def test_every_set_counts_its_findings() -> None:
    for one in load(DEFAULT).sets:
        if one.confusion:
            assert sum(map(sum, one.confusion)) == sum(each.count for each in one.bins) == one.images


def test_every_set_is_named_in_full() -> None:
    titles = [one.title for one in load(DEFAULT).sets]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.startswith("...")]
