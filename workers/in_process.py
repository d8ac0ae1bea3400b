"""The calm run: a coil from source to report in one process. The oracle of every fault test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from ingest.sources.source import Source
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CloseReason, CoilReport
from workers.inspection.inspector import Inspector
from workers.inspection.stages import NoStageTimes, StageTimes
from workers.report.delivery import Delivery

BATCH_FRAMES = 16
"""Frames handed to the inspector at once: enough to keep its threads busy, few enough to keep memory flat."""


@dataclass(frozen=True)
class InspectedCoil:
    """A coil's report and how it came about."""

    report: CoilReport
    delivery: Delivery


def inspect_coil(
    source: Source,
    inspector: Inspector,
    *,
    rules: GradingRules,
    joining: JoiningSettings,
    progress: Callable[[CoilAccount], None] | None = None,
    times: StageTimes | None = None,
) -> InspectedCoil:
    """Inspect a whole coil in this process.

    Args:
        progress: called with the account after every batch.
        times: where to count the time of joining; the inspector has its own.
    """
    started = datetime.now(UTC)
    times = times or NoStageTimes()
    opened = source.opened()
    account = CoilAccount(opened.line, opened.coil, opened.run, joining=joining)
    account.add_opened(opened)
    frames = source.frames()
    while batch := list(islice(frames, BATCH_FRAMES)):
        inspections = inspector.inspect(batch)
        with times.stage("join"):
            for inspection in inspections:
                account.add(inspection)
        if progress:
            progress(account)
    for camera in source.closed():
        account.add_closed_camera(camera)
    with times.stage("join"):
        reason: CloseReason = "complete" if account.complete else "grace time passed"
        report = account.report(account.close_record(reason), rules)
    counts = account.counts
    delivery = Delivery(
        path="in-process",
        started_at=started,
        closed_at=datetime.now(UTC),
        frames_sent=counts.sent,
        duplicates=counts.duplicates,
        conflicts=counts.conflicts,
        cache_hits=0,
        cache_skipped=0,
        network_runs=counts.inspected,
    )
    return InspectedCoil(report, delivery)
