"""A coil that runs while something is done to its line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ingest.kafka import INSPECTIONS_TOPIC
from ingest.publisher import Publisher
from ingest.records import CoilKey, EncodedFrame
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from orchestration.inspector import open_inspector
from orchestration.line import CoilNotReportedError, wait_for_report
from orchestration.settings import Settings
from orchestration.streaming import stream
from tests.held_back import second_half_late
from tests.orchestration.line_logs import line_logs
from tests.workers.streams.topics import records_of
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport
from workers.in_process import inspect_coil
from workers.inspection.records import Inspection
from workers.streams.live_view import LiveView
from workers.streams.messages import read_inspection_record
from workers.streams.redis_client import redis_client

COIL = SimulatedCoil(length_m=16.0, seed=11, coil="upgraded")
KEY: CoilKey = (COIL.line, COIL.coil, 1)
FIRST_FRAMES = 8
FIRST_FRAMES_TIMEOUT_S = 120
REPORT_TIMEOUT_S = 200
SPEED_MPS = 0.4


class HalfHeldBack(SimulatedSource):
    """The coil, of which the second half comes behind an event: however long an upgrade takes."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__(COIL)
        self._event = event

    def frames(self) -> Iterator[EncodedFrame]:
        """The frames, half of them late."""
        return second_half_late(super().frames(), COIL.frames_per_camera, self._event)


@contextmanager
def coil_under_way(settings: Settings) -> Iterator[None]:
    """Run the coil: the block is entered when some frames are inspected, and half of them come after it.

    Then its report is waited for.

    Args:
        settings: with the addresses of a running line.
    """
    go_on = threading.Event()
    sending = threading.Thread(target=_send, args=(settings, go_on))
    sending.start()
    try:
        _wait_for_frames(settings)
        yield
    finally:
        go_on.set()
        sending.join()
    try:
        wait_for_report(settings, KEY, timeout_s=REPORT_TIMEOUT_S)
    except CoilNotReportedError as error:
        pytest.fail(f"{error}\n{line_logs(settings.run_directory)}")


def calm_report(settings: Settings) -> CoilReport:
    """The report of the coil from one process, with nothing in its way."""
    inspector = open_inspector(settings, threads=2)
    rules = GradingRules.load(settings.grading.file)
    return inspect_coil(SimulatedSource(COIL), inspector, rules=rules, joining=settings.joining).report


def committed_inspections(settings: Settings) -> list[Inspection]:
    """Every committed inspection on the line's topic."""
    records = records_of(settings.kafka.connection(), INSPECTIONS_TOPIC)
    messages = [read_inspection_record(record.value) for record in records]
    return [message for message in messages if isinstance(message, Inspection)]


def _send(settings: Settings, go_on: threading.Event) -> None:
    with Publisher(settings.kafka.connection()) as publisher:
        stream(HalfHeldBack(go_on), publisher, speed_mps=SPEED_MPS)


def _wait_for_frames(settings: Settings) -> None:
    live_view = LiveView(redis_client(settings.redis.url))
    deadline = time.monotonic() + FIRST_FRAMES_TIMEOUT_S
    while (seen := live_view.read(KEY)) is None or seen.inspected < FIRST_FRAMES:
        if time.monotonic() > deadline:
            pytest.fail(f"no {FIRST_FRAMES} frames inspected\n{line_logs(settings.run_directory)}")
        threading.Event().wait(0.05)
