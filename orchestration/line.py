"""The running line: the local stack with the application on it, and a coil streamed through."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestration.application import redis_client
from orchestration.errors import OrchestrationError
from orchestration.settings import Settings
from workers.report.errors import ReportNotFoundError
from workers.report.store import ReportStore
from workers.streams.live_view import LiveCoil, LiveView
from workers.streams.messages import CoilKey

POLL_S = 0.2


class CoilNotReportedError(OrchestrationError):
    """A coil had no report in the time it was given."""

    retriable = True


def wait_for_report(
    settings: Settings,
    key: CoilKey,
    *,
    timeout_s: float,
    progress: Callable[[LiveCoil | None], None] | None = None,
) -> None:
    """Wait until a coil's report is in the store.

    Args:
        progress: called with the live view of the coil several times a second.

    Raises:
        CoilNotReportedError: after `timeout_s`.
    """
    store = ReportStore(settings.reports.store)
    live_view = LiveView(redis_client(settings))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if progress:
            progress(live_view.read(key))
        try:
            store.read(*key)
        except ReportNotFoundError:
            time.sleep(POLL_S)
        else:
            return
    raise CoilNotReportedError(f"coil {key[1]} run {key[2]} has no report after {timeout_s:.0f} s")
