"""A recipe trained for its figures alone: its weights are not kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress

from models.networks.outputs import SaliencyNetwork
from models.training.data import TrainingData, gather
from models.training.devices import execution
from models.training.recipe import Recipe
from models.training.trainer import Trainer
from models.training.watching import Standing, StepReport, Watcher


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
