"""Where the time of inspection goes, for the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import perf_counter
from typing import Literal

Stage = Literal["decode", "edges", "tile", "network", "components", "classes", "join"]


class StageTimes:
    """Sums the seconds spent in each stage; safe to share between threads."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}
        self._lock = Lock()

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Count the time of the block towards a stage."""
        started = perf_counter()
        try:
            yield
        finally:
            elapsed = perf_counter() - started
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + elapsed


class NoStageTimes(StageTimes):
    """Counts nothing: what an inspector uses outside a benchmark."""

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:  # noqa: ARG002
        yield
