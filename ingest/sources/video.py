"""A video file or stream of one camera as a source."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadImageError, SourceError
from ingest.position import ConstantSpeed
from ingest.records import CameraBand, Encoding, bytes_digest
from ingest.sources.source import DEFAULT_ENCODING, CoilSource, Picture, bounded, encoded_picture

log = logging.getLogger(__name__)

COUNTING = {".avi", ".mp4", ".mov"}
"""Containers that hold the number of their frames; of others OpenCV makes it from their duration."""


class VideoSource(CoilSource):
    """One camera's video.

    Args:
        path: video file, or the address of a stream.
        band: the camera; its columns are those of the video.
        line: id of the line.
        coil: id of the coil.
        run: 1 for the first time this coil id is used.
        speed_mps: speed of the strip, for the position of each frame; None where frames adjoin.
        encoding: how frames travel.

    Raises:
        SourceError: the video cannot be opened, or has another width than the band.
        BadRecordError: an id of line or coil that is none.
    """

    def __init__(
        self,
        path: Path | str,
        band: CameraBand,
        *,
        line: str,
        coil: str,
        run: int = 1,
        speed_mps: float | None = None,
        encoding: Encoding = DEFAULT_ENCODING,
    ) -> None:
        super().__init__([VideoFeed(path, band, speed_mps, encoding)], line=line, coil=coil, run=run)


def video_columns(path: Path | str) -> int:
    """Columns of a video's frames.

    Raises:
        SourceError: the video cannot be opened.
    """
    with _opened(path) as capture:
        return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


@dataclass(frozen=True, slots=True)
class VideoFeed:
    """The frames of a video as pictures of one camera; arguments as for `VideoSource`."""

    path: Path | str
    band: CameraBand
    speed_mps: float | None = None
    encoding: Encoding = DEFAULT_ENCODING

    def __post_init__(self) -> None:
        columns = video_columns(self.path)
        if columns != self.band.columns:
            raise SourceError(
                f"expected a video of {self.band.columns} columns, got {columns} in {self.path}"
            )
        if self.speed_mps is not None and not self._frames_per_s > 0:
            raise SourceError(f"expected a video that tells its frames a second, got none in {self.path}")

    @property
    def total(self) -> int | None:
        """Frames as the container counts them; None where it does not."""
        with _opened(self.path) as capture:
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return count if count > 0 else None

    def pictures(self) -> Iterator[Picture]:
        """The frames, grey, to the end of the video.

        A frame too large to travel is handed over as unreadable, and so is what a container that counts its
        frames has lost of them.
        """
        index = 0
        with _opened(self.path) as capture:
            frames_per_s = capture.get(cv2.CAP_PROP_FPS)
            rows = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            counted = isinstance(self.path, Path) and self.path.suffix.lower() in COUNTING
            total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if counted else 0
            for pixels in _grey_frames(capture):
                rows = len(pixels)
                yield self._picture(pixels, index, self._along_mm(index, frames_per_s, rows))
                index += 1
        if index < total:
            log.warning("%s: expected %d frames, got %d: the rest is unreadable", self.path, total, index)
        for missing in range(index, total):
            yield _unreadable(rows, self._along_mm(missing, frames_per_s, rows))

    def _picture(self, pixels: NDArray[np.uint8], index: int, along_mm: float) -> Picture:
        try:
            return bounded(encoded_picture(pixels, self.encoding, along_mm))
        except BadImageError as error:
            log.warning("%s: frame %d is passed on as unreadable: %s", self.path, index, error)
            return _unreadable(len(pixels), along_mm)

    @property
    def _frames_per_s(self) -> float:
        with _opened(self.path) as capture:
            return float(capture.get(cv2.CAP_PROP_FPS))

    def _along_mm(self, index: int, frames_per_s: float, rows: int) -> float:
        if self.speed_mps is None:
            return index * rows * self.band.mm_per_row
        return ConstantSpeed(self.speed_mps).along_mm(index / frames_per_s)


def _unreadable(rows: int, along_mm: float) -> Picture:
    return Picture(b"", "png", bytes_digest(b""), rows, along_mm)


@contextmanager
def _opened(path: Path | str) -> Iterator[cv2.VideoCapture]:
    if isinstance(path, Path) and not path.is_file():
        raise SourceError(f"expected a video file, got {path}: no such file")
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise SourceError(f"expected a video that OpenCV can read, got {path}")
        yield capture
    finally:
        capture.release()


def _grey_frames(capture: cv2.VideoCapture) -> Iterator[NDArray[np.uint8]]:
    while True:
        read, image = capture.read()
        if not read:
            return
        yield _grey(image)


def _grey(image: NDArray[Any]) -> NDArray[np.uint8]:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(grey, np.uint8)
