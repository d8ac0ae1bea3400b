"""Whether processes grow: memory and open files of a line's workers, sampled from outside."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import psutil
from pydantic import BaseModel

from tests.faults.line import WORKERS, FaultLine

EVERY_S = 2.0
WARM_UP_S = 40.0
"""A worker's memory rises until its networks, buffers and connections are there."""
LEAST_WATCHED_S = 60.0
"""After its warm-up; what was killed sooner says nothing about growing."""
MOST_GROWN_MB = 60.0
"""A leak of a frame in a hundred, 40 KB each, would pass it within the hour; allocators wander less."""
MOST_GROWN_FILES = 12.0
"""Connections that a broker's restart left to be collected."""


class Growth(BaseModel):
    """How much one process grew after its warm-up: the mean of its last quarter less that of its first."""

    process: str
    watched_s: float
    memory_mb: float
    grown_mb: float
    open_files: float
    grown_files: float

    @property
    def problem(self) -> str | None:
        """What is wrong with it, None while it is flat."""
        if self.grown_mb <= MOST_GROWN_MB and self.grown_files <= MOST_GROWN_FILES:
            return None
        grown = f"{self.grown_mb:.1f} MB and {self.grown_files:.1f} open files"
        return f"{self.process} grew by {grown} in {self.watched_s:.0f} s"


@dataclass
class _Life:
    name: str
    began_s: float
    samples: list[tuple[float, float, int]] = field(default_factory=list)


class GrowthWatch:
    """Samples the workers in a thread of its own."""

    def __init__(self, line: FaultLine) -> None:
        self._line = line
        self._lives: dict[tuple[int, float], _Life] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="growth", daemon=True)
        self._thread.start()

    def stop(self) -> list[Growth]:
        """End sampling; the growth of each process that lived long enough."""
        self._stop.set()
        self._thread.join()
        return [growth for life in self._lives.values() if (growth := _growth(life))]

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            for name in WORKERS:
                for process in self._line.replicas(name):
                    self._sample(name, process)

    def _sample(self, name: str, process: psutil.Process) -> None:
        try:
            with process.oneshot():
                identity = (process.pid, process.create_time())
                memory_mb, files = process.memory_info().rss / 2**20, process.num_fds()
        except psutil.Error:
            return
        life = self._lives.setdefault(identity, _Life(name, time.monotonic()))
        life.samples.append((time.monotonic() - life.began_s, memory_mb, files))


def _growth(life: _Life) -> Growth | None:
    samples = [sample for sample in life.samples if sample[0] >= WARM_UP_S]
    if not samples or samples[-1][0] - WARM_UP_S < LEAST_WATCHED_S:
        return None
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]

    def mean(part: list[tuple[float, float, int]], column: int) -> float:
        return sum(sample[column] for sample in part) / len(part)

    return Growth(
        process=life.name,
        watched_s=round(samples[-1][0] - WARM_UP_S, 1),
        memory_mb=round(mean(last, 1), 1),
        grown_mb=round(mean(last, 1) - mean(first, 1), 1),
        open_files=round(mean(last, 2), 1),
        grown_files=round(mean(last, 2) - mean(first, 2), 1),
    )
