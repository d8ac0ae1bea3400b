"""`python -m benchmarks.accuracy`: measure shipped networks on real steel, and write the page of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.accuracy.evaluations import Evaluation, evaluate, save
from benchmarks.accuracy.gallery import BEST, failure_gallery
from benchmarks.accuracy.page import accuracy_speed_svg, pruning_svg, results_page
from benchmarks.accuracy.protocols import PROTOCOLS, Protocol
from benchmarks.pruning import curves
from models.weights.files import read_weights
from models.weights.registry import available, locate

NARROW = "-narrow."
"""In the version of weights that a narrow recipe made: `edrnet-narrow.300`."""
DOCS = Path(__file__).resolve().parents[2] / "docs"

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def measure(
    data: Annotated[Path, typer.Option(envvar="COILWATCH_DATA", help="Folder of the data sets.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Shipped weights, or a file that a narrow recipe made; repeat for more.",
            show_default="all shipped",
        ),
    ] = None,
) -> None:
    """Score networks under every protocol of their way of training; the files are to be committed."""
    for name in model or available():
        _, info = read_weights(locate(name))
        for protocol in PROTOCOLS:
            if protocol.narrow == (NARROW in info.version):
                print(save(_evaluate(name, protocol, data), protocol))


def _evaluate(name: str, protocol: Protocol, data: Path) -> Evaluation:
    with _shown(f"{name}, {protocol.key}") as progress:
        return evaluate(name, protocol, data, progress)


@app.command()
def gallery() -> None:
    """Draw what the best network gets most wrong on simulated strip."""
    with _shown(f"{BEST} on simulated strip") as progress:
        (DOCS / "figures" / "failures.jpg").write_bytes(failure_gallery(BEST, progress))


@contextmanager
def _shown(work: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, and what moves it: told how many of how many are done."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(work)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@app.command()
def page() -> None:
    """Write docs/results.md and its figures from the evaluations that are there."""
    (DOCS / "results.md").write_text(results_page(), encoding="utf-8")
    (DOCS / "figures" / "accuracy-speed.svg").write_text(accuracy_speed_svg(), encoding="utf-8")
    if curves():
        (DOCS / "figures" / "pruning.svg").write_text(pruning_svg(), encoding="utf-8")


if __name__ == "__main__":
    app()
