"""The live view of a training run: phase, steps, loss, overlap on held-out images, time left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from torch import nn

from models.errors import TrainingError
from models.training.recipe import Recipe
from models.training.run_log import read_log
from models.training.scoring import Scores
from models.training.watching import Standing, StepReport, Watcher
from orchestration.cli.console import err, say

SMOOTHING = 0.98
"""Of the loss that is shown: the mean of the last 50 steps or so."""

ETA_WINDOW_S = 600.0
"""Time left is judged by the last ten minutes: phases differ in the length of their steps."""


FOLLOW_EVERY_S = 1.0
"""How often the log of a run in other processes is read: it grows by a line every twenty steps."""


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
        self._taught: TaskID | None = None
        self._loss: float | None = None
        self._scores = ""

    def on_taught(self, done: int, total: int) -> None:
        if self._taught is None:
            say(f"The teacher marks {total:,} images of unlabelled steel")
            self._taught = self._bars.add_task("teacher's maps", total=total, note="")
        self._bars.update(self._taught, completed=done)

    def on_start(self, step: int) -> None:
        if step:
            say(f"Going on after step {step}")
        self._bars.reset(self._task, completed=step)

    def on_step(self, report: StepReport) -> None:
        before = report.loss if self._loss is None else self._loss
        self._loss = SMOOTHING * before + (1 - SMOOTHING) * report.loss
        self._bars.update(
            self._task, completed=report.step, description=report.phase, note=self._loss_text + self._scores
        )

    def on_score(self, standing: Standing, network: nn.Module) -> None:  # noqa: ARG002 - the figures alone
        self.scored(standing)

    def scored(self, standing: Standing) -> None:
        """Take note of a scoring."""
        figures = f"IoU {standing.steel.iou:.4f}"
        if standing.strip is not None and standing.strip.defective:
            figures += f", strip {standing.strip.iou:.4f}"
        if standing.frames is not None:
            figures += _on_frames(standing.frames)
        if standing.is_best:
            self._scores = f", best {figures} at {standing.step}"
            self._bars.update(self._task, note=self._loss_text + self._scores)
        best = ", best so far" if standing.is_best else ""
        of = "on steel that trains" if standing.seen else "held-out"
        say(f"step {standing.step} ({standing.phase}): {self._loss_text}, {of} {figures}{best}")

    @property
    def _loss_text(self) -> str:
        return "no loss yet" if self._loss is None else f"loss {self._loss:.4f}"


def _on_frames(scores: Scores) -> str:
    overlap = f", frames {scores.iou:.4f}" if scores.defective else ""
    return overlap + (f", {scores.clean_false_share:.2%} of clean frames false" if scores.clean else "")


@contextmanager
def following(folder: Path, view: TrainingView, recipe: Recipe) -> Iterator[None]:
    """Within the block, show the run that other processes do in a folder, by its log."""
    ended = Event()
    known = len(_lines(folder))

    def follow() -> None:
        shown = known
        while not ended.wait(FOLLOW_EVERY_S):
            shown = _show_lines(folder, view, recipe, shown)
        _show_lines(folder, view, recipe, shown)

    thread = Thread(target=follow, name="training log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show_lines(folder: Path, view: TrainingView, recipe: Recipe, shown: int) -> int:
    lines = _lines(folder)
    for line in lines[shown:]:
        _show_line(line, view, recipe)
    return len(lines)


def _lines(folder: Path) -> list[dict[str, Any]]:
    try:
        return read_log(folder)
    except TrainingError:
        return []


def _show_line(line: Mapping[str, Any], view: TrainingView, recipe: Recipe) -> None:
    if "loss" in line:
        view.on_step(StepReport(line["step"], recipe.total_steps, line["phase"], line["loss"], line["rate"]))
    else:
        strip, frames = (Scores(**line[kind]) if kind in line else None for kind in ("strip", "frames"))
        steel = Scores(**line["steel"])
        view.scored(Standing(line["step"], line["phase"], steel, strip, frames, line["best"], line["seen"]))
