"""Pixels to bytes and back: raw, PNG, JPEG and zstd, with digests and with limits checked before decoding."""

from __future__ import annotations

import hashlib
import struct

import cv2
import numpy as np
import zstandard
from numpy.typing import NDArray

from ingest.errors import BadImageError
from ingest.image_header import as_stored, image_format, read_image_header
from ingest.records import DIGEST_BYTES, MAX_SIDE_PX, Encoding, FrameHeader

MAX_FRAME_PX = 64 * 1024 * 1024
"""Largest frame that is decoded: four times the largest raw frame Kafka takes, and 64 MiB of memory."""
JPEG_QUALITY = 95
"""Defects of low contrast survive it; at 90 the block borders begin to show on smooth strip."""
PNG_LEVEL = 1
"""Higher levels save a few per cent on strip texture and cost several times the time."""
ZSTD_LEVEL = 1
"""As for PNG: strip texture is noise, and noise does not shrink by trying harder."""


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """BLAKE2b of shape and pixels, 32 hexadecimal digits.

    Args:
        pixels: `(H, W)` uint8.
    """
    digest = hashlib.blake2b(struct.pack("<II", *pixels.shape), digest_size=DIGEST_BYTES)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def encode(pixels: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """Encode one frame.

    Args:
        pixels: `(H, W)` uint8.
        encoding: `jpeg` is lossy, the others are not.

    Raises:
        BadImageError: when the array is not a frame.
    """
    check_frame_pixels(pixels)
    if encoding == "raw":
        return pixels.tobytes()
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(np.ascontiguousarray(pixels).data)
    if encoding == "png":
        suffix, options = ".png", [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL]
    else:
        suffix, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(suffix, pixels, options)
    return encoded.tobytes()


def encode_frame(pixels: NDArray[np.uint8], encoding: Encoding) -> tuple[bytes, str]:
    """Encode one frame and give the digest of the pixels that its reader will see.

    JPEG pixels are those that come out of the decoder, the same on one machine and one OpenCV build.

    Returns:
        The encoded bytes and the pixel digest.

    Raises:
        BadImageError: when the array is not a frame.
    """
    data = encode(pixels, encoding)
    return data, pixel_digest(decode_image(data) if encoding == "jpeg" else pixels)


def decode(data: bytes, header: FrameHeader) -> NDArray[np.uint8]:
    """Decode a frame and check that it is what its header says.

    Nothing is allocated for pixels before the encoded image itself claims the header's size.

    Returns:
        `(H, W)` uint8, possibly read-only.

    Raises:
        BadImageError: one line that names what was expected and what came.
    """
    check_size(header.height, header.width)
    if header.encoding == "raw":
        pixels = _decode_raw(data, header)
    elif header.encoding == "zstd":
        pixels = _decode_zstd(data, header)
    else:
        pixels = _decode_picture(data, header)
    came = pixel_digest(pixels)
    if came != header.digest:
        raise BadImageError(f"expected pixels with digest {header.digest}, got {came}")
    return pixels


def decode_image(data: bytes, expected: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG, BMP or TIFF image of 8-bit mono pixels.

    Args:
        data: the whole file.
        expected: `(H, W)` that it must have; None for any.

    Returns:
        `(H, W)` uint8.

    Raises:
        BadImageError: one line that names what was expected and what came.
    """
    wanted = f"{expected[0]} x {expected[1]} 8-bit mono pixels" if expected else "8-bit mono pixels"
    if not data:
        raise BadImageError(f"expected {wanted}, got 0 bytes")
    claim = read_image_header(data)
    if not claim.is_mono8 or (expected and expected != (claim.height, claim.width)):
        raise BadImageError(f"expected {wanted}, got {claim}")
    check_size(claim.height, claim.width)
    try:
        # UNCHANGED keeps colour, alpha and depth visible, and does not turn the image by its EXIF data.
        pixels = cv2.imdecode(np.frombuffer(as_stored(data), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadImageError(f"expected {wanted}, got a damaged image: {error.err}") from None
    if pixels is None:
        raise BadImageError(f"expected {wanted}, got a damaged image")
    if pixels.dtype != np.uint8 or pixels.shape != (claim.height, claim.width):
        came = " x ".join(str(side) for side in pixels.shape)
        raise BadImageError(f"expected {wanted}, got {came} values of {pixels.dtype}")
    return pixels.view(np.uint8)


def check_frame_pixels(pixels: NDArray[np.uint8]) -> None:
    """Check that an array can be a frame.

    Raises:
        BadImageError: names the expected and the given shape and dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.size == 0:
        raise BadImageError(f"expected (H, W) uint8 pixels, got {pixels.shape} {pixels.dtype}")
    check_size(*pixels.shape)


def check_size(height: int, width: int) -> None:
    """Check that a frame may have so many pixels.

    Raises:
        BadImageError: names the limits and what came.
    """
    if max(height, width) > MAX_SIDE_PX or height * width > MAX_FRAME_PX:
        raise BadImageError(
            f"expected at most {MAX_SIDE_PX} pixels a side and {MAX_FRAME_PX} in all, got {height} x {width}"
        )


def _decode_raw(data: bytes, header: FrameHeader) -> NDArray[np.uint8]:
    if len(data) != header.height * header.width:
        raise BadImageError(f"{_expected_bytes(header)}, got {len(data)} bytes")
    return np.frombuffer(data, np.uint8).reshape(header.height, header.width)


def _decode_zstd(data: bytes, header: FrameHeader) -> NDArray[np.uint8]:
    size = header.height * header.width
    try:
        claim = zstandard.get_frame_parameters(data).content_size
        if claim != size:
            came = "a frame of unknown size" if claim == zstandard.CONTENTSIZE_UNKNOWN else f"{claim} bytes"
            raise BadImageError(f"{_expected_bytes(header)}, got {came}")
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadImageError(f"{_expected_bytes(header)}, got {len(data)} damaged bytes: {error}") from None
    return _decode_raw(raw, header)


def _decode_picture(data: bytes, header: FrameHeader) -> NDArray[np.uint8]:
    if data and (name := image_format(data)) != header.encoding:
        raise BadImageError(f"expected a {header.encoding.upper()} image, got {name.upper()}")
    return decode_image(data, expected=(header.height, header.width))


def _expected_bytes(header: FrameHeader) -> str:
    size = header.height * header.width
    return f"expected {header.height} x {header.width} 8-bit mono pixels in {size} bytes"
