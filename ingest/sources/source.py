"""What every source of frames does: open the coil, hand over its frames in strip order, close its cameras."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ingest.codecs import encode_frame
from ingest.errors import BadImageError, BadRecordError, SourceError
from ingest.kafka import MAX_FRAME_BYTES
from ingest.records import (
    CameraBand,
    CameraClosed,
    CoilOpened,
    EncodedFrame,
    Encoding,
    FrameHeader,
    first_problem,
)

DEFAULT_ENCODING: Encoding = "zstd"
"""Strip texture of 480 x 480 px: 0.4-1 ms to encode and 0.3-0.65 of the raw bytes; PNG costs 6-9 ms."""


class Source(Protocol):
    """One coil, frame by frame."""

    @property
    def total_frames(self) -> int | None:
        """Frames of all cameras; None where that is not known beforehand."""

    def opened(self) -> CoilOpened:
        """The record that opens the coil."""

    def frames(self) -> Iterator[EncodedFrame]:
        """The frames of all cameras in strip order: by `along_mm`, then side and camera."""

    def closed(self) -> tuple[CameraClosed, ...]:
        """The records that close the cameras, once `frames` has been read to its end."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a camera, encoded, before it has a place in a coil.

    Attributes:
        height: rows; the columns are those of the camera's band.
        along_mm: position of row 0 from the head of the coil.
    """

    data: bytes
    encoding: Encoding
    digest: str
    height: int
    along_mm: float


class CameraFeed(Protocol):
    """One camera: its band and its pictures in strip order."""

    @property
    def band(self) -> CameraBand: ...

    @property
    def total(self) -> int | None: ...

    def pictures(self) -> Iterator[Picture]: ...


def encoded_picture(pixels: NDArray[np.uint8], encoding: Encoding, along_mm: float) -> Picture:
    """Encode the pixels of one frame, `(H, W)` uint8."""
    data, digest = encode_frame(pixels, encoding)
    return Picture(data, encoding, digest, len(pixels), along_mm)


def fits(data: bytes) -> bool:
    """Whether Kafka takes so many bytes as one frame."""
    return len(data) <= MAX_FRAME_BYTES


def bounded(picture: Picture) -> Picture:
    """The picture itself, where it can travel.

    Raises:
        BadImageError: it has more bytes than Kafka takes as one frame.
    """
    if not fits(picture.data):
        raise BadImageError(f"expected at most {MAX_FRAME_BYTES} bytes, got {len(picture.data)}")
    return picture


class CoilSource:
    """The feeds of a coil's cameras, merged in strip order.

    Args:
        line: id of the line.
        coil: id of the coil.
        run: 1 for the first time this coil id is used.
        feeds: one a camera.

    Raises:
        BadRecordError: an id of line or coil that is none.
    """

    def __init__(self, feeds: Sequence[CameraFeed], *, line: str, coil: str, run: int = 1) -> None:
        self._feeds = tuple(feeds)
        bands = tuple(feed.band for feed in feeds)
        try:
            self._opened = CoilOpened(line=line, coil=coil, run=run, cameras=bands)
        except ValidationError as error:
            raise BadRecordError(first_problem(error)) from None
        self._frames = [0] * len(self._feeds)
        self._end_mm = [0.0] * len(self._feeds)

    @property
    def total_frames(self) -> int | None:
        """Frames of all cameras; None where a feed does not know."""
        totals = [feed.total for feed in self._feeds]
        known = [total for total in totals if total is not None]
        return sum(known) if len(known) == len(totals) else None

    def opened(self) -> CoilOpened:
        """The record that opens the coil."""
        return self._opened

    def frames(self) -> Iterator[EncodedFrame]:
        """The frames of all cameras in strip order: by `along_mm`, then side and camera."""
        cameras = [self._camera_frames(at) for at in range(len(self._feeds))]
        return heapq.merge(*cameras, key=_strip_order)

    def closed(self) -> tuple[CameraClosed, ...]:
        """The records that close the cameras, once `frames` has been read to its end."""
        return tuple(
            CameraClosed(
                **self._identity,
                side=feed.band.side,
                camera=feed.band.camera,
                frames=self._frames[at],
                end_mm=self._end_mm[at],
            )
            for at, feed in enumerate(self._feeds)
        )

    @property
    def _identity(self) -> dict[str, str | int]:
        return {"line": self._opened.line, "coil": self._opened.coil, "run": self._opened.run}

    def _camera_frames(self, at: int) -> Iterator[EncodedFrame]:
        band = self._feeds[at].band
        self._frames[at], self._end_mm[at] = 0, 0.0
        for picture in self._feeds[at].pictures():
            try:
                frame = self._frame(band, self._frames[at], picture)
            except ValidationError as error:
                name = f"{band.side}/{band.camera}"
                raise SourceError(f"frame {self._frames[at]} of {name}: {first_problem(error)}") from None
            self._frames[at] += 1
            self._end_mm[at] = picture.along_mm + picture.height * band.mm_per_row
            yield frame

    def _frame(self, band: CameraBand, sequence: int, picture: Picture) -> EncodedFrame:
        header = FrameHeader(
            line=self._opened.line,
            coil=self._opened.coil,
            run=self._opened.run,
            side=band.side,
            camera=band.camera,
            sequence=sequence,
            along_mm=picture.along_mm,
            across_mm=band.across_mm,
            mm_per_row=band.mm_per_row,
            mm_per_column=band.mm_per_column,
            height=picture.height,
            width=band.columns,
            encoding=picture.encoding,
            digest=picture.digest,
        )
        return EncodedFrame(header, picture.data)


def _strip_order(frame: EncodedFrame) -> tuple[float, str, str]:
    return frame.header.along_mm, frame.header.side, frame.header.camera
