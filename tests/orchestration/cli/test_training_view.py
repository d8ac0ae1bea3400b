from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress
from torch import nn

from models.training.run_log import RunLog
from models.training.scoring import Scores
from models.training.watching import Standing, StepReport
from orchestration.cli import training_view
from orchestration.cli.training_view import TrainingView, following, training_progress
from tests.models.training.runs import phase_of, recipe_of

RECIPE = recipe_of(phase_of(40))
STANDING = Standing(20, "a", Scores(0.7, 0.03, 0.0), Scores(0.6, 0.02, 0.01, 3, 4), is_best=True)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(training_view, "say", lines.append)
    return lines


@pytest.fixture
def bars() -> Progress:
    progress = training_progress()
    progress.live.console = Console(file=io.StringIO())
    return progress


def test_a_view_shows_phase_steps_loss_and_best(bars: Progress, said: list[str]) -> None:
    view = TrainingView(bars, RECIPE)
    view.on_start(10)
    (task,) = bars.tasks
    assert (task.completed, task.total) == (10, 40)
    view.on_step(StepReport(20, 40, "later", 1.5, 1e-3))
    view.on_score(STANDING, nn.Identity())
    assert task.fields["note"] == "loss 1.5000, best IoU 0.7000, strip 0.6000 at 20"
    view.on_step(StepReport(21, 40, "later", 1.0, 1e-3))
    assert (task.completed, task.description) == (21, "later")
    assert task.fields["note"] == "loss 1.4900, best IoU 0.7000, strip 0.6000 at 20"
    assert said == [
        "Going on after step 10",
        "step 20 (a): loss 1.5000, held-out IoU 0.7000, strip 0.6000, best so far",
    ]


def test_scores_on_frames_of_a_line_are_told(tmp_path: Path, bars: Progress, said: list[str]) -> None:
    log = RunLog(tmp_path)
    with following(tmp_path, TrainingView(bars, RECIPE), RECIPE):
        for scores in (Scores(0.3, 0.1, 0.2, 3, 4), Scores(0.0, 0.1, 0.2, 0, 4), Scores(0.3, 0.1, 0.0, 3, 0)):
            log.on_score(replace(STANDING, strip=None, frames=scores), nn.Identity())
    before = "step 20 (a): no loss yet, held-out IoU 0.7000"
    assert said == [
        f"{before}, frames 0.3000, 20.00% of clean frames false, best so far",
        f"{before}, 20.00% of clean frames false, best so far",
        f"{before}, frames 0.3000, best so far",
    ]


def test_clean_strip_has_no_overlap(bars: Progress, said: list[str]) -> None:
    view = TrainingView(bars, RECIPE)
    view.on_score(replace(STANDING, strip=Scores(0.0, 0.02, 0.01, 0, 4)), nn.Identity())
    assert said == ["step 20 (a): no loss yet, held-out IoU 0.7000, best so far"]


def test_the_log_of_other_processes_is_followed(tmp_path: Path, bars: Progress, said: list[str]) -> None:
    view = TrainingView(bars, RECIPE)
    log = RunLog(tmp_path)
    log.on_start(0)
    log.on_score(Standing(1, "a", Scores(0.1, 0.2, 0.0), None), nn.Identity())
    with following(tmp_path, view, RECIPE):
        for step in range(1, 21):
            log.on_step(StepReport(step, 40, "a", 2.0, 1e-3))
        log.on_score(STANDING, nn.Identity())
    assert bars.tasks[0].completed == 20
    assert said == ["step 20 (a): loss 2.0000, held-out IoU 0.7000, strip 0.6000, best so far"]


def test_scores_of_steel_that_trains_are_told_as_such(
    tmp_path: Path, bars: Progress, said: list[str]
) -> None:
    log = RunLog(tmp_path)
    with following(tmp_path, TrainingView(bars, RECIPE), RECIPE):
        log.on_score(replace(STANDING, seen=True), nn.Identity())
    assert said == ["step 20 (a): no loss yet, on steel that trains IoU 0.7000, strip 0.6000, best so far"]


def test_a_run_without_a_log_shows_nothing(tmp_path: Path, bars: Progress, said: list[str]) -> None:
    with following(tmp_path, TrainingView(bars, RECIPE), RECIPE):
        pass
    assert said == []
