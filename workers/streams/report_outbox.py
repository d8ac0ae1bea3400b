"""Reports on their way to the report store, tried until it takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ingest.records import CoilKey
from workers.coil.records import CoilReport
from workers.report.delivery import Delivery
from workers.report.errors import StoreError
from workers.report.store import ReportLocation
from workers.streams.report_writers import ReportWriters

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A store that was away for hours is noticed within a minute of its return."""

SLOW_S = 30.0
"""A report is written in well under a second; somebody should know when its store takes longer."""

log = logging.getLogger(__name__)


@dataclass
class _Waiting:
    report: CoilReport
    delivery: Delivery
    due_at: float = float("-inf")
    pause_s: float = FIRST_PAUSE_S
    writing: Future[ReportLocation] | None = None
    started_at: float = 0.0
    slow: bool = False


@dataclass(frozen=True)
class WrittenReport:
    """A report that the store holds, and where."""

    report: CoilReport
    location: ReportLocation


class ReportOutbox:
    """Holds one report a coil until it is written; the store's failures cost time and nothing else.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, writers: ReportWriters, clock: Callable[[], float]) -> None:
        self._writers = writers
        self._clock = clock
        self._waiting: dict[CoilKey, _Waiting] = {}

    def add(self, key: CoilKey, report: CoilReport, delivery: Delivery) -> None:
        """Take a report to write."""
        self._waiting[key] = _Waiting(report, delivery)

    def write(self) -> dict[CoilKey, WrittenReport]:
        """Start to write every report whose time has come, without waiting; those that are written by now.

        Raises:
            StoreHangsError: a write does not end.
        """
        self._writers.check()
        written: dict[CoilKey, WrittenReport] = {}
        for key, waiting in list(self._waiting.items()):
            if waiting.writing is None and self._clock() >= waiting.due_at:
                waiting.writing = self._writers.start(key, waiting.report, waiting.delivery)
                waiting.started_at = self._clock()
            location = self._location(key, waiting)
            if location is not None:
                written[key] = WrittenReport(waiting.report, location)
                del self._waiting[key]
        return written

    def clear(self) -> None:
        """Forget every report; whoever calls this makes them again from the log."""
        self._waiting.clear()

    def _location(self, key: CoilKey, waiting: _Waiting) -> ReportLocation | None:
        """Where a report was written, None while it was not."""
        if waiting.writing is None:
            return None
        if not waiting.writing.done():
            if not waiting.slow and self._clock() - waiting.started_at > SLOW_S:
                waiting.slow = True
                log.warning("report of coil %s waits: the store has not answered for %.0f s", key[1], SLOW_S)
            return None
        try:
            return waiting.writing.result()
        except StoreError as error:
            waiting.writing = None
            waiting.due_at = self._clock() + waiting.pause_s
            log.warning("report of coil %s waits, next try in %.0f s: %s", key[1], waiting.pause_s, error)
            waiting.pause_s = min(2 * waiting.pause_s, LONGEST_PAUSE_S)
            return None
