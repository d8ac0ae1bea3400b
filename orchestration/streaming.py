"""Streams a source to Kafka at the speed of the strip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ingest.publisher import Publisher
from ingest.sources.source import Source


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
    publisher: Publisher,
    *,
    speed_mps: float | None = None,
    progress: Callable[[Streamed], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Publish a whole coil: its opening, every frame when the strip has reached it, every camera's closing.

    Args:
        speed_mps: speed of the strip; None to publish as fast as Kafka takes it.

    Returns:
        The number of frames published.

    Raises:
        PublishError: Kafka did not take a record in time.
    """
    publisher.open_coil(source.opened())
    started = clock()
    frames = 0
    for frame in source.frames():
        due = started + frame.header.along_mm / 1000 / speed_mps if speed_mps else started
        if speed_mps and due > clock():
            sleep(due - clock())
        publisher.send(frame)
        frames += 1
        if progress:
            behind_s = max(0.0, clock() - due) if speed_mps else 0.0
            progress(Streamed(frames, frame.header.along_mm, behind_s))
    for camera in source.closed():
        publisher.close_camera(camera)
    publisher.flush()
    return frames
