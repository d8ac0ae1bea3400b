"""The live view of a training run: phase, steps, loss, overlap on held-out images, time left."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from models.training.recipe import Recipe
from models.training.watching import Standing, StepReport, Watcher
from orchestration.cli.console import err, say

SMOOTHING = 0.98
"""Of the loss that is shown: the mean of the last 50 steps or so."""

ETA_WINDOW_S = 600.0
"""Time left is judged by the last ten minutes: phases differ in the length of their steps."""


def training_progress() -> Progress:
    """A bar that counts steps, with the phase before it and the figures behind it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
        speed_estimate_period=ETA_WINDOW_S,
        console=err,
    )


class TrainingView(Watcher):
    """Shows a run on a terminal, and elsewhere says one line for every scoring.

    Args:
        bars: shows it.
        recipe: of the run.
    """

    def __init__(self, bars: Progress, recipe: Recipe) -> None:
        self._bars = bars
        self._task = bars.add_task(recipe.phases[0].name, total=recipe.total_steps, note="")
        self._loss: float | None = None
        self._scores = ""

    def on_start(self, step: int) -> None:
        if step:
            say(f"Going on after step {step}")
        self._bars.reset(self._task, completed=step)

    def on_step(self, report: StepReport) -> None:
        before = report.loss if self._loss is None else self._loss
        self._loss = SMOOTHING * before + (1 - SMOOTHING) * report.loss
        note = f"loss {self._loss:.4f}{self._scores}"
        self._bars.update(self._task, completed=report.step, description=report.phase, note=note)

    def on_score(self, standing: Standing, network: nn.Module) -> None:  # noqa: ARG002 - the figures alone
        figures = f"IoU {standing.steel.iou:.4f}"
        if standing.strip is not None:
            figures += f", strip {standing.strip.iou:.4f}"
        if standing.is_best:
            self._scores = f", best {figures} at {standing.step}"
        loss = f"loss {self._loss:.4f}, " if self._loss is not None else ""
        best = ", best so far" if standing.is_best else ""
        say(f"step {standing.step} ({standing.phase}): {loss}held-out {figures}{best}")
