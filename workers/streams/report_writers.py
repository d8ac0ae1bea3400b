"""Writes to the report store, in threads of their own: a driver or a mount that hangs never returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ingest.records import CoilKey
from workers.coil.records import CoilReport
from workers.report.delivery import Delivery
from workers.report.errors import StoreHangsError
from workers.report.store import ReportLocation, ReportStore

MOST_WRITES = 4
"""At once: some coils may hang before the others wait as well, and no more threads than these."""
HANGS_S = 600.0
"""A store that answers after minutes is slow. What lasts longer may last for ever, and holds a thread and a
coil; nothing but the end of the process is known to end it."""


@dataclass(frozen=True)
class _Write:
    future: Future[ReportLocation]
    started_at: float


class ReportWriters:
    """Writes one report of a coil at a time. For one thread, and for all loops that live in a process.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, store: ReportStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._under_way: dict[CoilKey, _Write] = {}

    def start(self, key: CoilKey, report: CoilReport, delivery: Delivery) -> Future[ReportLocation] | None:
        """Start a write; None while the coil's last one is under way, or too many others.

        An earlier one that nobody asks for any more counts: it must not end after this one.
        """
        self._forget_ended()
        if key in self._under_way or len(self._under_way) >= MOST_WRITES:
            return None
        future: Future[ReportLocation] = Future()
        self._under_way[key] = _Write(future, self._clock())

        def write() -> None:
            try:
                future.set_result(self._store.write(report, delivery))
            except Exception as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)

        # No thread of a pool: those keep a process from ending.
        threading.Thread(target=write, name=f"report-{key[1]}", daemon=True).start()
        return future

    def check(self) -> None:
        """Fail where a write does not end.

        Raises:
            StoreHangsError: only another process is rid of it.
        """
        self._forget_ended()
        for key, write in self._under_way.items():
            lasted_s = self._clock() - write.started_at
            if lasted_s > HANGS_S:
                raise StoreHangsError(
                    f"report of coil {key[1]}: its write has not ended for {lasted_s:.0f} s"
                )

    def _forget_ended(self) -> None:
        self._under_way = {key: write for key, write in self._under_way.items() if not write.future.done()}
