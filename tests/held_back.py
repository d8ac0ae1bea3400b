"""Coils whose second half waits: what happens in between happens in mid-coil, however long it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from ingest.records import EncodedFrame

HELD_BACK_S = 300.0
"""Longer than a deployment with other weights or other numbers of replicas takes."""


def second_half_late(
    frames: Iterable[EncodedFrame], frames_per_camera: int, go: threading.Event
) -> Iterator[EncodedFrame]:
    """The frames, those of the second half once `go` is set."""
    for frame in frames:
        if frame.header.sequence >= frames_per_camera // 2:
            assert go.wait(HELD_BACK_S), "nobody let the second half go"
        yield frame
