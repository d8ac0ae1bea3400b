"""A folder of images as a source: one camera or many, read one file at a time.

A file that cannot be a frame of its camera does not stop the coil. It is passed on as it is, under the
camera's nominal size, so that inspection records it as unreadable with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ingest.codecs import check_size, decode_image, pixel_digest
from ingest.errors import BadImageError, SourceError
from ingest.image_header import image_format, read_image_header
from ingest.line import Line
from ingest.records import CameraBand, Encoding, Side, bytes_digest
from ingest.sources.layout import CameraFiles, find_cameras
from ingest.sources.source import (
    DEFAULT_ENCODING,
    CameraFeed,
    CoilSource,
    Picture,
    bounded,
    encoded_picture,
    fits,
)
from ingest.sources.video import VideoFeed

log = logging.getLogger(__name__)

OVERSIZE_KEPT_BYTES = 64 * 1024
"""What is passed on of a file too large to travel: enough for its header to say what it was."""


class FolderSource(CoilSource):
    """A folder of images, or of what a line description names there.

    Without a line description the cameras of each side stand next to each other from 0 mm, in natural order
    of their names.

    Args:
        directory: the folder.
        line: id of the line.
        coil: id of the coil.
        run: 1 for the first time this coil id is used.
        line_description: the cameras; None to take them from sub-folders or file names.
        mm_per_px: pixel size both ways where there is no line description.
        encoding: how frames travel; None keeps PNG and JPEG files byte for byte and re-encodes others.
        pattern: regular expression with a group `camera` (and `side`) for cameras told by file names.
        speed_mps: speed of the strip, for cameras that are videos; None where their frames adjoin.

    Raises:
        SourceError: nothing to read, or no image of the described columns.
        BadRecordError: an id of line or coil that is none.
    """

    def __init__(
        self,
        directory: Path,
        *,
        line: str,
        coil: str,
        run: int = 1,
        line_description: Line | None = None,
        mm_per_px: float = 1.0,
        encoding: Encoding | None = None,
        pattern: str | None = None,
        speed_mps: float | None = None,
    ) -> None:
        cameras = find_cameras(directory, line_description, pattern)
        feeds: list[CameraFeed] = list(_folder_feeds(directory, cameras, mm_per_px, encoding))
        for camera in line_description.cameras if line_description else ():
            if camera.video:
                video = directory / camera.video
                feeds.append(VideoFeed(video, camera.band, speed_mps, encoding or DEFAULT_ENCODING))
        super().__init__(feeds, line=line, coil=coil, run=run)


@dataclass(frozen=True, slots=True)
class _FolderFeed:
    files: tuple[Path, ...]
    band: CameraBand
    nominal_height: int
    encoding: Encoding | None

    @property
    def total(self) -> int:
        return len(self.files)

    def pictures(self) -> Iterator[Picture]:
        rows = 0
        for file in self.files:
            picture = self._picture(file, rows * self.band.mm_per_row)
            rows += picture.height
            yield picture

    def _picture(self, file: Path, along_mm: float) -> Picture:
        original = _read(file)
        try:
            return self._readable(original, along_mm)
        except BadImageError as error:
            log.warning("%s is passed on as unreadable: %s", file, error)
        encoding, data = _as_it_is(file, original)
        return Picture(data, encoding, bytes_digest(data), self.nominal_height, along_mm)

    def _readable(self, original: bytes, along_mm: float) -> Picture:
        pixels = decode_image(original)
        if pixels.shape[1] != self.band.columns:
            raise BadImageError(f"expected {self.band.columns} columns, got {pixels.shape[1]}")
        kept = _kept_encoding(original)
        if self.encoding is not None or not kept:
            anew = encoded_picture(pixels, self.encoding or DEFAULT_ENCODING, along_mm)
            # What is too large once it is encoded anew may still travel as it came.
            if not kept or fits(anew.data):
                return bounded(anew)
        return bounded(Picture(original, kept, pixel_digest(pixels), len(pixels), along_mm))


def _folder_feeds(
    directory: Path, cameras: list[CameraFiles], mm_per_px: float, encoding: Encoding | None
) -> Iterator[_FolderFeed]:
    sizes = [_nominal_size(camera) for camera in cameras]
    known = next((size for size in sizes if size), None)
    next_mm: dict[Side, float] = {"top": 0.0, "bottom": 0.0}
    for camera, size in zip(cameras, sizes, strict=True):
        if known is None:
            file = camera.files[0]
            raise SourceError(
                f"no readable image in {directory}, {file.name} is the first: {_why_unreadable(file)}"
            )
        height, columns = size or known
        if camera.described:
            band = camera.described.band
        else:
            band = CameraBand(
                side=camera.side,
                camera=camera.camera,
                across_mm=next_mm[camera.side],
                columns=columns,
                mm_per_row=mm_per_px,
                mm_per_column=mm_per_px,
            )
            next_mm[camera.side] = band.right_mm
        yield _FolderFeed(camera.files, band, height, encoding)


def _nominal_size(camera: CameraFiles) -> tuple[int, int] | None:
    """`(H, W)` of the camera's first readable image of the described width; None where none is readable."""
    wanted = camera.described.columns if camera.described else None
    other: int | None = None
    for height, width in _sizes(camera.files):
        if wanted in {width, None}:
            return height, width
        other = width
    if other is not None:
        raise SourceError(
            f"{camera.files[0].parent}: the line description says {wanted} columns for "
            f"{camera.side}/{camera.camera}, but no image has them (one has {other})"
        )
    return None


def _sizes(files: Iterable[Path]) -> Iterator[tuple[int, int]]:
    for file in files:
        try:
            height, width = decode_image(_read(file)).shape
        except BadImageError:
            continue
        yield height, width


def _why_unreadable(file: Path) -> str:
    try:
        decode_image(_read(file))
    except BadImageError as error:
        return str(error)
    return "it is readable now"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        log.warning("%s cannot be read: %s", file, error.strerror)
        return b""


def _kept_encoding(data: bytes) -> Encoding | None:
    """The encoding under which a file travels byte for byte; None where it cannot."""
    encodings: dict[str, Encoding] = {"png": "png", "jpeg": "jpeg"}
    return encodings.get(image_format(data))


def _as_it_is(file: Path, data: bytes) -> tuple[Encoding, bytes]:
    """An unreadable file's bytes, under the encoding that its suffix claims."""
    encoding: Encoding = "jpeg" if file.suffix.lower() in {".jpg", ".jpeg"} else "png"
    if file.suffix.lower() in {".bmp", ".tif", ".tiff"}:
        data = _as_png(data)
    if not fits(data):
        data = data[:OVERSIZE_KEPT_BYTES]
    return encoding, data


def _as_png(data: bytes) -> bytes:
    """A colour or 16-bit BMP or TIFF as the same PNG, so that its reader can say what is wrong with it."""
    try:
        claim = read_image_header(data)
        check_size(claim.height, claim.width)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return data if image is None else cv2.imencode(".png", image)[1].tobytes()
    except (BadImageError, cv2.error):
        return data
