"""Coils of small frames, one tile each: a hundred of them are inspected in seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ingest.records import CameraBand, CameraClosed, CoilOpened, EncodedFrame
from ingest.simulation import SimulatedCoil
from ingest.simulation.cameras import MM_PER_PX
from ingest.sources.source import CoilSource, Picture, encoded_picture
from tests.held_back import second_half_late

SIDE_PX = 240
"""Below the network's tile of 256: one run of it per frame."""
FRAMES_PER_CAMERA = 60
DEFECTS_PER_M = 8.0
"""Narrow bands see few of a strip's defects; with these every coil has events across frames and cameras."""
LINE = "fault-line"
CAMERAS = (("left", 0), ("right", 208))
"""Two halves of the simulated line's first camera, 16 mm seen by both; the left one has the strip's edge."""


@dataclass(frozen=True, slots=True)
class _Feed:
    band: CameraBand
    prepared: tuple[Picture, ...]

    @property
    def total(self) -> int:
        return len(self.prepared)

    def pictures(self) -> Iterator[Picture]:
        return iter(self.prepared)


class SmallCoil(CoilSource):
    """Two overlapping cameras on one simulated strip, every frame prepared beforehand.

    Args:
        coil: its id.
        seed: of the strip; the pictures of a seed are made once a process.
        frames_per_camera: its length.
        mark: 0 to 255, written into each frame's first pixel, beside the strip or in its texture: the same
            strip under another mark is new to the result cache.
    """

    def __init__(
        self, coil: str, seed: int = 0, frames_per_camera: int = FRAMES_PER_CAMERA, mark: int | None = None
    ) -> None:
        feeds = [
            _Feed(_band(name, column), _pictures(seed, frames_per_camera, column, mark))
            for name, column in CAMERAS
        ]
        super().__init__(feeds, line=LINE, coil=coil)
        self.key = (LINE, coil, 1)


class HeldBack(SmallCoil):
    """A coil whose second half comes only once `go` is set."""

    def __init__(self, coil: str, seed: int = 0) -> None:
        super().__init__(coil, seed)
        self.go = threading.Event()

    def frames(self) -> Iterator[EncodedFrame]:
        """The frames, half of them late."""
        return second_half_late(super().frames(), FRAMES_PER_CAMERA, self.go)


class Rearranged:
    """A source whose frames come otherwise than its cameras took them: twice, in another order, or not.

    What its cameras say at their end stays as it was.

    Args:
        source: which has the coil's opening and closings.
        frames: what comes instead.
    """

    def __init__(self, source: SmallCoil, frames: Sequence[EncodedFrame]) -> None:
        self.key = source.key
        self._source = source
        # Read to its end, or the source does not know what its cameras say there.
        self._taken = tuple(source.frames())
        self._frames = tuple(frames)

    @property
    def total_frames(self) -> int:
        """Frames that its cameras took."""
        return len(self._taken)

    def opened(self) -> CoilOpened:
        """The record that opens the coil."""
        return self._source.opened()

    def frames(self) -> Iterator[EncodedFrame]:
        """What comes."""
        return iter(self._frames)

    def closed(self) -> tuple[CameraClosed, ...]:
        """What the cameras say at their end."""
        return self._source.closed()


def _band(camera: str, column: int) -> CameraBand:
    return CameraBand(
        side="top",
        camera=camera,
        across_mm=column * MM_PER_PX,
        columns=SIDE_PX,
        mm_per_row=MM_PER_PX,
        mm_per_column=MM_PER_PX,
    )


@cache
def _strip(seed: int, frames: int) -> SimulatedCoil:
    return SimulatedCoil(frames * SIDE_PX * MM_PER_PX / 1000, seed, defects_per_m=DEFECTS_PER_M)


def _pictures(seed: int, frames: int, column: int, mark: int | None) -> tuple[Picture, ...]:
    if mark is None:
        return _unmarked(seed, frames, column)
    return tuple(_picture(seed, frames, column, at, mark) for at in range(frames))


@cache
def _unmarked(seed: int, frames: int, column: int) -> tuple[Picture, ...]:
    return tuple(_picture(seed, frames, column, at, None) for at in range(frames))


def _picture(seed: int, frames: int, column: int, at: int, mark: int | None) -> Picture:
    rows = _strip(seed, frames).picture(0, at * SIDE_PX, SIDE_PX)
    pixels = np.ascontiguousarray(rows[:, column : column + SIDE_PX])
    if mark is not None:
        pixels[0, 0] = mark
    return encoded_picture(pixels, "zstd", at * SIDE_PX * MM_PER_PX)
