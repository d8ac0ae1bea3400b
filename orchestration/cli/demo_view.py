"""The live view of the demo: frames sent, frames inspected, how far behind, events so far."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Event

from rich.progress import Progress

from orchestration.streaming import Streamed
from workers.coil.records import CoilReport
from workers.streams.live_view import LiveCoil


class SendingStoppedError(Exception):
    """Ends the sending of frames that nobody waits for any more."""


class DemoView:
    """Two progress bars, told by the thread that sends and by the one that waits for the report.

    Attributes:
        sending: what sends the frames.
    """

    def __init__(self, bars: Progress, total: int | None) -> None:
        self._bars = bars
        self._sent = bars.add_task("Sent", total=total, note="")
        self._inspected = bars.add_task("Inspected", total=total, note="")
        self._frames_sent = 0
        self._stopped = Event()
        self.sending: Future[int] | None = None

    def sent(self, streamed: Streamed) -> None:
        """Take note of what was published.

        Raises:
            SendingStoppedError: after `stop_sending`.
        """
        if self._stopped.is_set():
            raise SendingStoppedError
        self._frames_sent = streamed.frames
        self._bars.update(self._sent, completed=streamed.frames, note=f"{streamed.along_mm / 1000:.1f} m")

    def inspected(self, coil: LiveCoil | None) -> None:
        """Take note of what was inspected.

        Raises:
            Exception: what the sending of frames has failed of.
        """
        if self.sending is not None and self.sending.done():
            self.sending.result()
        if coil is not None:
            done = coil.inspected + coil.unreadable
            behind = max(0, self._frames_sent - done)
            note = f"{behind} frames behind, {coil.events} events"
            self._bars.update(self._inspected, completed=done, note=note)

    def reported(self, report: CoilReport) -> None:
        """End as the report does: the live view comes last, and may not tell of the last frames."""
        done = sum(camera.inspected + camera.unreadable for camera in report.cameras)
        self._bars.update(self._inspected, completed=done, note=f"{len(report.events)} events")

    def stop_sending(self) -> None:
        """Let the sending thread end at its next frame."""
        self._stopped.set()
