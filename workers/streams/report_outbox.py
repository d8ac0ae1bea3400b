"""Reports on their way to the report store, tried until it takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from workers.coil.records import CoilReport
from workers.report.delivery import Delivery
from workers.report.errors import StoreError
from workers.report.store import ReportLocation, ReportStore
from workers.streams.messages import CoilKey

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A store that was away for hours is noticed within a minute of its return."""

log = logging.getLogger(__name__)


@dataclass
class _Waiting:
    report: CoilReport
    delivery: Delivery
    due_at: float = float("-inf")
    pause_s: float = FIRST_PAUSE_S


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

    def __init__(self, store: ReportStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[CoilKey, _Waiting] = {}

    def add(self, key: CoilKey, report: CoilReport, delivery: Delivery) -> None:
        """Take a report to write."""
        self._waiting[key] = _Waiting(report, delivery)

    def write(self) -> dict[CoilKey, WrittenReport]:
        """Try every report whose time has come; those that are written now."""
        written: dict[CoilKey, WrittenReport] = {}
        for key, waiting in list(self._waiting.items()):
            if self._clock() < waiting.due_at:
                continue
            try:
                location = self._store.write(waiting.report, waiting.delivery)
            except StoreError as error:
                waiting.due_at = self._clock() + waiting.pause_s
                log.warning("report of coil %s waits, next try in %.0f s: %s", key[1], waiting.pause_s, error)
                waiting.pause_s = min(2 * waiting.pause_s, LONGEST_PAUSE_S)
            else:
                written[key] = WrittenReport(waiting.report, location)
                del self._waiting[key]
        return written

    def clear(self) -> None:
        """Forget every report; whoever calls this makes them again from the log."""
        self._waiting.clear()
