"""A line under one fault after the other, as long as is wanted: nothing lost, nothing twice, nothing grows.

Everything is judged from outside: by the topics, the committed offsets, the reports and `/proc`.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path

from kafka.errors import KafkaError
from pydantic import BaseModel

from benchmarks.soak_coils import CoilsThread
from benchmarks.soak_faults import FAULTS
from benchmarks.soak_growth import Growth, GrowthWatch
from tests.faults.calm import CalmLine
from tests.faults.line import FaultLine
from tests.faults.small_coil import Rearranged
from workers.report.json_report import read_report

FAULT_EVERY_S = 30.0
COMMITS_EVERY_S = 2.0
RECOVERY_TIMEOUT_S = 240.0
COMPARED_COILS = 10
"""Coils whose report is compared with the calm one byte for byte: each costs a second inspection."""
SPEED_MPS = 1.5
"""Some 25 small frames a second, which two cores inspect beside everything else that runs here."""


class FaultFigures(BaseModel):
    """How long one kind of fault took to be recovered from, from its beginning, its own length included."""

    times: int
    mean_s: float
    longest_s: float


class SoakResult(BaseModel):
    """What came of a soak.

    Attributes:
        frames, inspected, unreadable, missing: over all coils, as their reports say.
        commits_checked: how often the committed offsets were compared with what is durable.
        compared: coils whose report was compared with the calm one.
        growth: of every process that lived long enough.
        broken: promises that were not kept, one line each.
    """

    seconds: float
    coils: int
    frames: int
    inspected: int
    unreadable: int
    missing: int
    frames_per_s: float
    commits_checked: int
    compared: int
    faults: dict[str, FaultFigures]
    growth: list[Growth]
    broken: list[str]


class CommitWatch:
    """Compares the committed offsets with what is durable, again and again, in a thread of its own."""

    def __init__(self, line: FaultLine) -> None:
        self.checks = 0
        self.lost: list[str] = []
        self._line = line
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commits", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after one more check."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        group = self._line.settings.frame_worker.group
        while True:
            try:
                self.lost += self._line.outside.lost_by_commit(group, RECOVERY_TIMEOUT_S)
            except (TimeoutError, KafkaError, OSError) as error:
                self.lost.append(f"committed offsets could not be checked: {error}")
            self.checks += 1
            if self._stop.wait(COMMITS_EVERY_S):
                return


def soak(seconds: float, *, seed: int = 0, speed_mps: float = SPEED_MPS) -> SoakResult:
    """Run coils through a line for so long, with a random fault every 30 s.

    Args:
        seed: of coils and faults.
        speed_mps: speed of the strip.
    """
    with tempfile.TemporaryDirectory(prefix="coilwatch-soak-") as folder:
        line = FaultLine(Path(folder))
        try:
            line.start()
            return _soak(line, seconds, seed, speed_mps)
        finally:
            line.stop()


def _soak(line: FaultLine, seconds: float, seed: int, speed_mps: float) -> SoakResult:
    random_ = random.Random(seed)
    commits, growth = CommitWatch(line), GrowthWatch(line)
    started = time.monotonic()
    coils = CoilsThread(line.settings, random.Random(seed + 1), speed_mps)
    recovered: dict[str, list[float]] = {}
    while time.monotonic() - started < seconds:
        fault_at = time.monotonic()
        coils.check()
        name = random_.choice(sorted(FAULTS))
        recovered.setdefault(name, []).append(_recovery_s(line, name, random_))
        threading.Event().wait(max(0.0, FAULT_EVERY_S - (time.monotonic() - fault_at)))
    coils.stop()
    for coil in coils.sent:
        line.report(coil.key, RECOVERY_TIMEOUT_S)
    ran_s = time.monotonic() - started
    # Its last check has read everything that the reports were made from.
    commits.stop()
    grown = growth.stop()
    broken = [problem for coil in coils.sent for problem in _judge(line, coil)]
    broken += [problem for process in grown if (problem := process.problem)]
    compared = random_.sample(coils.sent, min(COMPARED_COILS, len(coils.sent)))
    calm = CalmLine()
    broken += [
        f"{coil.key[1]}: another report" for coil in compared if calm.report(coil) != line.report(coil.key)
    ]
    cameras = [camera for coil in coils.sent for camera in read_report(line.report(coil.key)).cameras]
    frames = sum(camera.sent for camera in cameras)
    return SoakResult(
        seconds=round(ran_s, 1),
        coils=len(coils.sent),
        frames=frames,
        inspected=sum(camera.inspected for camera in cameras),
        unreadable=sum(camera.unreadable for camera in cameras),
        missing=sum(camera.missing for camera in cameras),
        frames_per_s=round(frames / ran_s, 1),
        commits_checked=commits.checks,
        compared=len(compared),
        faults={name: _figures(times) for name, times in sorted(recovered.items())},
        growth=grown,
        broken=[*commits.lost, *broken],
    )


def _recovery_s(line: FaultLine, name: str, random_: random.Random) -> float:
    """Seconds from a fault until what waited at its end is inspected and every replica is back."""
    started = time.monotonic()
    FAULTS[name](line, random_)
    waiting = line.outside.waiting()
    line.until(f"inspected after '{name}'", lambda: not waiting & line.outside.waiting(), RECOVERY_TIMEOUT_S)
    line.until(f"whole after '{name}'", line.whole, RECOVERY_TIMEOUT_S)
    return time.monotonic() - started


def _judge(line: FaultLine, coil: Rearranged) -> list[str]:
    """What is wrong with a coil: a frame unaccounted for, one counted twice, or one not kept."""
    report = read_report(line.report(coil.key))
    seen, buried = line.outside.coil(coil.key), line.outside.buried(coil.key)
    accounted = sum(c.inspected + c.unreadable + c.missing for c in report.cameras)
    unreadable = sum(c.unreadable for c in report.cameras)
    problems = {
        f"{coil.total_frames} frames taken, {accounted} accounted for": accounted != coil.total_frames,
        f"frames inspected twice: {seen.repeated}": bool(seen.repeated),
        f"{len(seen.sent)} frames sent, {len(seen.inspections)} inspected or dead-lettered": (
            seen.sent.keys() != seen.inspections.keys()
        ),
        f"{unreadable} frames unreadable, {len(buried)} dead-lettered": unreadable != len(buried),
        f"{seen.closings} closing records": seen.closings != 1,
    }
    return [f"{coil.key[1]}: {problem}" for problem, holds in problems.items() if holds]


def _figures(seconds: list[float]) -> FaultFigures:
    return FaultFigures(
        times=len(seconds), mean_s=round(sum(seconds) / len(seconds), 1), longest_s=round(max(seconds), 1)
    )
