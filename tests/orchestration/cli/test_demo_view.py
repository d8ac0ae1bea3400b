from __future__ import annotations

import io
from concurrent.futures import Future

import pytest
from rich.console import Console
from rich.progress import Progress

from ingest.errors import PublishError
from orchestration.cli.demo_view import DemoView, SendingStoppedError
from orchestration.streaming import Streamed
from tests.workers.report import example
from workers.streams.live_view import LiveCoil


@pytest.fixture
def bars() -> Progress:
    return Progress(
        "{task.description} {task.completed}/{task.total} {task.fields[note]}",
        console=Console(file=io.StringIO()),
    )


def _coil(inspected: int, unreadable: int) -> LiveCoil:
    return LiveCoil(
        line="l",
        coil="c",
        run=1,
        inspected=inspected,
        unreadable=unreadable,
        findings=9,
        events=4,
        length_mm=1000.0,
    )


def test_both_bars_tell_how_far_the_frames_are(bars: Progress) -> None:
    view = DemoView(bars, 40)
    view.sent(Streamed(frames=20, along_mm=2400.0, behind_s=0.0))
    view.inspected(_coil(inspected=11, unreadable=2))
    sent, inspected = bars.tasks
    assert (sent.completed, sent.total, sent.fields["note"]) == (20, 40, "2.4 m")
    assert (inspected.completed, inspected.fields["note"]) == (13, "7 frames behind, 4 events")


def test_the_bars_end_as_the_report_does(bars: Progress) -> None:
    report = example.coil()
    view = DemoView(bars, 40)
    view.inspected(_coil(inspected=1, unreadable=0))
    view.reported(report)
    frames = sum(camera.sent - camera.missing for camera in report.cameras)
    assert frames > 1
    assert (bars.tasks[1].completed, bars.tasks[1].fields["note"]) == (frames, "5 events")


def test_a_failure_to_send_ends_the_wait(bars: Progress) -> None:
    view = DemoView(bars, 40)
    view.sending = Future()
    view.inspected(None)
    view.sending.set_exception(PublishError("gone"))
    with pytest.raises(PublishError, match="gone"):
        view.inspected(None)


def test_sending_ends_when_nobody_waits(bars: Progress) -> None:
    view = DemoView(bars, 40)
    view.stop_sending()
    with pytest.raises(SendingStoppedError):
        view.sent(Streamed(frames=1, along_mm=0.0, behind_s=0.0))
