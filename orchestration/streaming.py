"""Streams a source to Kafka at the speed of the strip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ingest.records import CameraClosed, CoilOpened, EncodedFrame, FrameHeader
from ingest.sources.source import Source


class FramePublisher(Protocol):
    """What a coil is streamed to: `ingest.publisher.Publisher`, or one with a spool."""

    def open_coil(self, opened: CoilOpened) -> None: ...

    def has(self, header: FrameHeader) -> bool: ...

    def send(self, frame: EncodedFrame) -> None: ...

    def close_camera(self, closed: CameraClosed) -> None: ...

    def flush(self) -> None: ...


@dataclass(frozen=True)
class Streamed:
    """How far a source has been streamed.

    Attributes:
        frames: handed to the publisher so far.
        along_mm: position of the last frame's first row.
        behind_s: how late the last frame was for the speed of the strip.
    """

    frames: int
    along_mm: float
    behind_s: float


def stream(
    source: Source,
    publisher: FramePublisher,
    *,
    speed_mps: float | None = None,
    progress: Callable[[Streamed], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Publish a whole coil: its opening, every frame when the strip has reached it, every camera's closing.

    Frames that a publisher before this one has published are passed over, and the strip goes on behind them.

    Args:
        speed_mps: speed of the strip; None to publish as fast as Kafka takes it.

    Returns:
        The number of frames published, by this publisher or before.

    Raises:
        IngestError: Kafka did not take a record in time, or the spool could not be written.
    """
    publisher.open_coil(source.opened())
    head_at = clock()
    frames, passing_over = 0, False
    for frame in source.frames():
        frames += 1
        if publisher.has(frame.header):
            passing_over = True
            continue
        reached_s = frame.header.along_mm / 1000 / speed_mps if speed_mps else 0.0
        if passing_over:
            head_at, passing_over = clock() - reached_s, False
        if speed_mps and head_at + reached_s > clock():
            sleep(head_at + reached_s - clock())
        publisher.send(frame)
        if progress:
            behind_s = max(0.0, clock() - head_at - reached_s) if speed_mps else 0.0
            progress(Streamed(frames, frame.header.along_mm, behind_s))
    for camera in source.closed():
        publisher.close_camera(camera)
    publisher.flush()
    return frames
