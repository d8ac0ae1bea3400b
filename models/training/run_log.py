"""The log of a run: JSON lines, one for every few steps and one for every scoring."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from models.errors import TrainingError
from models.training.watching import Standing, StepReport, Watcher
from models.weights.files import write_atomically

LOG_FILE = "log.jsonl"

LOG_EVERY = 20
"""Steps whose mean loss makes one line."""


class RunLog(Watcher):
    """Writes the log of a run; a run that goes on forgets the lines behind its state.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG_FILE
        self._losses: list[float] = []

    def on_start(self, step: int) -> None:
        lines = [line for line in _lines(self._path) if line["step"] <= step]
        write_atomically(self._path, "".join(f"{json.dumps(line)}\n" for line in lines).encode())

    def on_step(self, report: StepReport) -> None:
        self._losses.append(report.loss)
        if report.step % LOG_EVERY == 0 or report.step == report.total_steps:
            loss = sum(self._losses) / len(self._losses)
            self._losses.clear()
            self._write(
                {
                    "step": report.step,
                    "phase": report.phase,
                    "loss": round(loss, 6),
                    "rate": _short(report.rate),
                }
            )

    def on_score(self, standing: Standing, network: nn.Module) -> None:  # noqa: ARG002 - the figures alone
        self._write(
            {
                "step": standing.step,
                "phase": standing.phase,
                "score": standing.score,
                "best": standing.is_best,
                "seen": standing.seen,
                "steel": asdict(standing.steel),
                **({} if standing.strip is None else {"strip": asdict(standing.strip)}),
                **({} if standing.frames is None else {"frames": asdict(standing.frames)}),
            }
        )

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log: those with `loss` and `rate` of steps, those with `score` of scorings.

    Raises:
        TrainingError: there is no log.
    """
    path = folder / LOG_FILE
    if not path.exists():
        raise TrainingError(f"{folder} holds no {LOG_FILE}: expected the output folder of a training run")
    return list(_lines(path))


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    whole: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            whole.append(json.loads(line))
        except json.JSONDecodeError:
            # A kill in mid-line; the run that goes on writes these steps again.
            break
    return whole
