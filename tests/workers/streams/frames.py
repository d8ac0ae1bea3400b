"""Small real frames and an inspector of a threshold, for tests of the loops."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from ingest.codecs import encode_frame
from ingest.records import CameraBand, CameraClosed, CoilOpened, EncodedFrame, FrameHeader
from workers.inspection.inspector import Inspector
from workers.inspection.records import FrameResult, ModelIdentity
from workers.inspection.settings import InspectionSettings

SIZE = 64
LINE = "line-1"
BAND = CameraBand(side="top", camera="cam1", across_mm=0, columns=SIZE, mm_per_row=1, mm_per_column=1)


class DarkIsDefect:
    """A segmentation that needs no network: what is dark on bright strip is a defect."""

    tile_size = SIZE
    peak = 240
    name = "dark-is-defect"
    version = "1"
    digest = "0" * 32

    def __init__(self) -> None:
        self._seen: list[NDArray[np.uint8]] = []

    @property
    def tiles(self) -> int:
        """How many it has seen."""
        return len(self._seen)

    def count(self, tiles: Sequence[NDArray[np.uint8]]) -> None:
        """Take note of tiles; of a number that several threads add to some are lost."""
        self._seen.extend(tiles)

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        self.count(tiles)
        return [np.where(tile < 90, 255, 0).astype(np.uint8) for tile in tiles]


class InThisProcess:
    """An inspection client without processes: results are there at once."""

    def __init__(self) -> None:
        self.segmentation = DarkIsDefect()
        self.inspector = Inspector(self.segmentation, InspectionSettings())

    def identity(self) -> ModelIdentity:
        return self.inspector.identity

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        future: Future[list[FrameResult]] = Future()
        future.set_result(self.inspector.analyse(frames))
        return future

    def close(self) -> None:
        """Nothing runs on."""


def strip(sequence: int) -> NDArray[np.uint8]:
    """Bright strip, another brightness each frame, with a dark spot in every third frame."""
    pixels = np.full((SIZE, SIZE), 150 + sequence % 50, np.uint8)
    if sequence % 3 == 0:
        pixels[20:32, 24:40] = 40
    return pixels


def frame(coil: str, sequence: int, run: int = 1) -> EncodedFrame:
    data, digest = encode_frame(strip(sequence), "zstd")
    header = FrameHeader(
        line=LINE,
        coil=coil,
        run=run,
        side="top",
        camera="cam1",
        sequence=sequence,
        along_mm=sequence * SIZE,
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=SIZE,
        width=SIZE,
        encoding="zstd",
        digest=digest,
    )
    return EncodedFrame(header, data)


def opened(coil: str, run: int = 1) -> CoilOpened:
    return CoilOpened(line=LINE, coil=coil, run=run, cameras=(BAND,))


def closed(coil: str, frames: int, run: int = 1) -> CameraClosed:
    return CameraClosed(
        line=LINE, coil=coil, run=run, side="top", camera="cam1", frames=frames, end_mm=frames * SIZE
    )
