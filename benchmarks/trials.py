"""Recipes trained for their figures alone: the figures are kept in a file, the weights are not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter
from rich.console import Console
from rich.progress import Progress

from models.networks.outputs import SaliencyNetwork
from models.training.data import TrainingData, gather
from models.training.devices import execution
from models.training.recipe import Recipe
from models.training.trainer import Trainer
from models.training.watching import Standing, StepReport, Watcher


class Trial(BaseModel):
    """One training and its figures.

    Attributes:
        recipe: its digest, with all that was changed.
        images: held out, which judged it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    images: int


Kind = TypeVar("Kind", bound=Trial)


class Trained(NamedTuple):
    """What a training came to.

    Attributes:
        data: that it trained on and was judged by.
        standing: after its last step.
        network: its averaged weights, in evaluation mode.
    """

    data: TrainingData
    standing: Standing
    network: SaliencyNetwork


class _Last(Watcher):
    """Shows the steps, and keeps the last standing."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title)
        self.standing: Standing | None = None

    def on_step(self, report: StepReport) -> None:
        self._progress.update(self._task, completed=report.step, total=report.total_steps)

    def on_score(self, standing: Standing, network: SaliencyNetwork) -> None:  # noqa: ARG002 - the figures alone
        self.standing = standing


def train(recipe: Recipe, data: Path, progress: Progress, title: str) -> Trained:
    """Run all steps of a recipe without strip and teacher.

    Args:
        recipe: what to do.
        data: folder of real steel, `images` and `masks`.
        progress: shows the steps.
        title: of the run, there.
    """
    samples = gather(recipe, data)
    last = _Last(progress, title)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(recipe, samples, Path(folder), execution("auto", low_precision=recipe.bfloat16))
        trainer.train(last)
    if last.standing is None:
        raise RuntimeError("the run ended without a score")
    return Trained(samples, last.standing, trainer.average)


def trials_in(file: Path, kind: type[Kind]) -> tuple[Kind, ...]:
    """Return the trials that a file holds; none where it is not there.

    Raises:
        ValidationError: it holds something else.
    """
    if not file.exists():
        return ()
    return _all_of(kind).validate_json(file.read_bytes())


def run_missing(
    file: Path,
    kind: type[Kind],
    recipes: Iterable[tuple[str, Recipe]],
    run: Callable[[str, Recipe, Progress], Kind],
) -> None:
    """Run the trials that a file does not hold yet, each written as it ends.

    Args:
        file: that holds them; what it has of other recipes is left out as it is written.
        kind: of trial.
        recipes: what is wanted, by name.
        run: trains and judges one.
    """
    wanted = list(recipes)
    digests = {recipe.digest for _, recipe in wanted}
    with Progress(console=Console(stderr=True)) as progress:
        for name, recipe in wanted:
            done = [trial for trial in trials_in(file, kind) if trial.recipe in digests]
            if recipe.digest not in {trial.recipe for trial in done}:
                done.append(run(name, recipe, progress))
                file.write_bytes(_all_of(kind).dump_json((*done,), indent=2) + b"\n")


def _all_of(kind: type[Kind]) -> TypeAdapter[tuple[Kind, ...]]:
    return TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]  # known at run time alone
