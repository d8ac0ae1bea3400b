"""Size and kind of an image, read from its first bytes without decoding it.

A decoder allocates what a header claims, so the claim is checked first: a 100-megapixel PNG of zeros is 1 KB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ingest.errors import BadImageError

ImageFormat = Literal["png", "jpeg", "bmp", "tiff"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: "mono", 2: "colour", 3: "palette", 4: "mono with alpha", 6: "colour with alpha"}
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame, all coding processes; C4, C8 and CC are tables and extensions."""
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, the restart markers and the start of the image."""
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_SAMPLES = 256, 257, 258, 277
_TIFF_ORIENTATION, _TIFF_AS_STORED = 274, 1
_TIFF_SHORT = 3


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image claims to be.

    Attributes:
        bits: per sample.
        colour: `mono`, `colour`, `palette`, with or without alpha.
    """

    height: int
    width: int
    bits: int
    colour: str

    def __str__(self) -> str:
        return f"{self.height} x {self.width} {self.bits}-bit {self.colour}"

    @property
    def is_mono8(self) -> bool:
        """Whether the pixels can be a frame: 8-bit mono without alpha."""
        return self.bits == 8 and self.colour == "mono"


def image_format(data: bytes) -> ImageFormat:
    """Tell the format from the first bytes.

    Raises:
        BadImageError: when they are those of no accepted format.
    """
    if data.startswith(_PNG_SIGNATURE):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "tiff"
    came = f"{len(data)} bytes beginning {data[:4].hex(' ')}" if data else "0 bytes"
    raise BadImageError(f"expected a PNG, JPEG, BMP or TIFF image, got {came}")


def read_image_header(data: bytes) -> ImageHeader:
    """Read what the image claims to be, and that PNG and JPEG are whole to their end marks.

    Raises:
        BadImageError: unknown format, truncated or damaged file, or an empty image.
    """
    readers = {"png": _read_png, "jpeg": _read_jpeg, "bmp": _read_bmp, "tiff": _read_tiff}
    name = image_format(data)
    try:
        header = readers[name](data)
    except (struct.error, IndexError):
        raise BadImageError(f"expected a whole {name.upper()} image, got one cut off in its header") from None
    if header.height < 1 or header.width < 1:
        raise BadImageError(f"expected at least one pixel, got {header.height} x {header.width}")
    return header


def as_stored(data: bytes) -> bytes:
    """The image, a TIFF with its orientation taken back: OpenCV turns a TIFF by that whatever it is told.

    Args:
        data: whose header could be read.
    """
    if image_format(data) != "tiff":
        return data
    order, unturned = _tiff_order(data), bytearray(data)
    for tag, _, _, entry in _tiff_entries(data):
        if tag == _TIFF_ORIENTATION:
            struct.pack_into(f"{order}HHIH", unturned, entry, tag, _TIFF_SHORT, 1, _TIFF_AS_STORED)
    return bytes(unturned)


def _read_png(data: bytes) -> ImageHeader:
    kind, width, height, bits, colour = struct.unpack_from(">4x4sIIBB", data, len(_PNG_SIGNATURE))
    if kind != b"IHDR" or colour not in _PNG_COLOURS:
        raise BadImageError("expected a PNG image that begins with its IHDR chunk, got another chunk")
    name = _PNG_COLOURS[colour]
    for chunk in _png_chunks(data):
        if chunk == b"tRNS" and name == "mono":
            name = "mono with alpha"
        if chunk == b"IEND":
            return ImageHeader(height, width, bits, name)
    raise BadImageError(f"expected a PNG image that ends with IEND, got {len(data)} bytes without it")


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Names of the chunks that are whole. OpenCV returns half an image for half a file, so we look."""
    view, at = memoryview(data), len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        if zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise BadImageError(
                f"expected an undamaged PNG image, got a wrong checksum in its {name!r} chunk"
            )
        yield name
        at = end + 4


def _read_jpeg(data: bytes) -> ImageHeader:
    if not data.rstrip(b"\0").endswith(b"\xff\xd9"):  # some cameras pad with zeros
        raise BadImageError(f"expected a JPEG image that ends with EOI, got {len(data)} bytes without it")
    at = 2
    while True:
        if data[at] != 0xFF:
            raise BadImageError(f"expected a JPEG marker at byte {at}, got {data[at]:#04x}")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_BARE_MARKERS:
            at += 2
        elif marker in _JPEG_FRAME_MARKERS:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            return ImageHeader(height, width, bits, "mono" if components == 1 else "colour")
        elif marker in {0xD9, 0xDA}:
            raise BadImageError("expected a JPEG frame header before the pixels, got none")
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])


def _read_bmp(data: bytes) -> ImageHeader:
    width, height, bits = struct.unpack_from("<ii2xH", data, 18)
    # An 8-bit BMP is a palette image always; OpenCV tells a grey palette from a coloured one.
    return ImageHeader(abs(height), width, min(bits, 8), "mono" if bits <= 8 else "colour")


def _read_tiff(data: bytes) -> ImageHeader:
    order = _tiff_order(data)
    tags = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0, _TIFF_BITS: 1, _TIFF_SAMPLES: 1}
    for tag, kind, count, entry in _tiff_entries(data):
        if tag in tags:
            layout = "H" if kind == _TIFF_SHORT else "I"
            at = entry + 8
            if count > 2 and tag == _TIFF_BITS:  # more values than fit in the entry: it holds their place
                (at,) = struct.unpack_from(f"{order}I", data, at)
            (tags[tag],) = struct.unpack_from(f"{order}{layout}", data, at)
    colour = "mono" if tags[_TIFF_SAMPLES] == 1 else "colour"
    return ImageHeader(tags[_TIFF_HEIGHT], tags[_TIFF_WIDTH], tags[_TIFF_BITS], colour)


def _tiff_order(data: bytes) -> str:
    return "<" if data[0:2] == b"II" else ">"


def _tiff_entries(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Tag, kind, count and place of each entry of the first directory."""
    order = _tiff_order(data)
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, entry)
        yield tag, kind, count, entry
