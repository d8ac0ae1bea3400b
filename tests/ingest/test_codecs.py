from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ingest.codecs import (
    MAX_FRAME_PX,
    decode,
    decode_image,
    encode,
    encode_frame,
    pixel_digest,
)
from ingest.errors import BadImageError
from ingest.image_header import image_format, read_image_header
from ingest.records import Encoding, FrameHeader, bytes_digest

ENCODINGS: tuple[Encoding, ...] = ("raw", "png", "jpeg", "zstd")
LOSSLESS: tuple[Encoding, ...] = ("raw", "png", "zstd")
frames = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)))
texture = np.random.default_rng(5).normal(120, 9, (48, 64)).clip(0, 255).astype(np.uint8)


def header(encoding: Encoding, height: int = 48, width: int = 64, digest: str = "0" * 32) -> FrameHeader:
    return FrameHeader(
        line="line-1",
        coil="coil-1",
        side="top",
        camera="a",
        sequence=0,
        along_mm=0.0,
        across_mm=0.0,
        mm_per_row=0.5,
        mm_per_column=0.5,
        height=height,
        width=width,
        encoding=encoding,
        digest=digest,
    )


def header_for(pixels: NDArray[np.uint8], encoding: Encoding) -> FrameHeader:
    height, width = pixels.shape
    return header(encoding, height, width, pixel_digest(pixels))


def png_of(image: NDArray[np.uint8] | NDArray[np.uint16], suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def small_png_of_zeros(height: int, width: int, bits: int = 8, colour: int = 0) -> bytes:
    """A whole PNG whose pixels would be height x width, in a few hundred bytes."""
    body = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", body) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    )


def tiff_of(pixels: NDArray[np.uint8], orientation: int, order: str) -> bytes:
    """A TIFF of one uncompressed strip, little-endian for "<" and big-endian for ">"."""
    height, width = pixels.shape
    shape = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 274: orientation}
    tags = shape | {277: 1, 278: height, 279: pixels.size}
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + pixels.size)
    entries = b"".join(struct.pack(f"{order}HHIHxx", tag, 3, 1, value) for tag, value in tags.items())
    return head + pixels.tobytes() + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


@settings(max_examples=40)
@given(pixels=frames, encoding=st.sampled_from(LOSSLESS))
def test_lossless_round_trip(pixels: NDArray[np.uint8], encoding: Encoding) -> None:
    data, digest = encode_frame(pixels, encoding)
    decoded = decode(data, header_for(pixels, encoding))
    assert digest == pixel_digest(pixels)
    np.testing.assert_array_equal(decoded, pixels)


@settings(max_examples=20)
@given(pixels=frames)
def test_jpeg_digest_is_of_the_decoded_pixels(pixels: NDArray[np.uint8]) -> None:
    data, digest = encode_frame(pixels, "jpeg")
    decoded = decode(data, header("jpeg", len(pixels), len(pixels[0]), digest))
    assert pixel_digest(decoded) == digest


def test_jpeg_stays_close_to_the_pixels() -> None:
    difference = decode_image(encode(texture, "jpeg")).astype(int) - texture
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_strided_views_encode_as_their_copy(encoding: Encoding) -> None:
    view = texture[::2, 1::3]
    assert encode(view, encoding) == encode(view.copy(), encoding)


@settings(max_examples=150)
@given(data=st.binary(max_size=200), encoding=st.sampled_from(ENCODINGS), start=st.integers(0, 5))
def test_arbitrary_bytes_only_raise_bad_image(data: bytes, encoding: Encoding, start: int) -> None:
    magic = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc0", b"BM", b"II*\0", b"\x28\xb5\x2f\xfd")[start]
    with pytest.raises(BadImageError):
        decode(magic + data, header(encoding))


@settings(max_examples=150)
@given(st.data())
def test_damaged_frames_never_pass_as_the_frame(data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(ENCODINGS))
    encoded, digest = encode_frame(texture, encoding)
    at = data.draw(st.integers(0, len(encoded) - 1))
    damaged = bytearray(encoded)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        pixels = decode(bytes(damaged), header(encoding, digest=digest))
    except BadImageError as error:
        assert "\n" not in str(error)  # noqa: PT017 - that an error came is not certain, damage may be harmless
    else:
        assert pixel_digest(pixels) == digest


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_truncated_frames_are_refused(encoding: Encoding, kept: float) -> None:
    data, digest = encode_frame(texture, encoding)
    with pytest.raises(BadImageError, match=r"^expected .*, got "):
        decode(data[: int(kept * len(data))], header(encoding, digest=digest))


colour = np.dstack([texture, texture, texture])
BAD_IMAGES = {
    "colour PNG": ("png", png_of(colour), "got 48 x 64 8-bit colour"),
    "colour JPEG": ("jpeg", png_of(colour, ".jpg"), "got 48 x 64 8-bit colour"),
    "16-bit": ("png", png_of(texture.astype(np.uint16) * 257), "got 48 x 64 16-bit mono"),
    "alpha": ("png", png_of(np.dstack([colour, texture])), "got 48 x 64 8-bit colour with alpha"),
    "palette": ("png", small_png_of_zeros(48, 64, colour=3), "got 48 x 64 8-bit palette"),
    "1-bit": ("png", small_png_of_zeros(48, 64, bits=1), "got 48 x 64 1-bit mono"),
    "zero size": ("png", small_png_of_zeros(0, 64), "got 0 x 64"),
    "empty": ("png", b"", "got 0 bytes"),
    "text": ("jpeg", b"hello", "got 5 bytes beginning 68 65 6c 6c"),
    "other width": ("png", png_of(texture[:, :32]), "got 48 x 32 8-bit mono"),
    "too few pixels": ("png", small_png_of_zeros(48, 64), "got"),
    "raw short": ("raw", bytes(3071), "got 3071 bytes"),
    "raw long": ("raw", bytes(3073), "got 3073 bytes"),
    "zstd of another size": ("zstd", encode(texture[1:], "zstd"), "got 3008 bytes"),
    "zstd with a tail": ("zstd", encode(texture, "zstd") + b"x", "damaged"),
}


@pytest.mark.parametrize(("encoding", "data", "message"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_bad_images_say_what_came(encoding: Encoding, data: bytes, message: str) -> None:
    with pytest.raises(BadImageError, match=r"^expected ") as caught:
        decode(data, header(encoding, digest=pixel_digest(texture)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hundred_megapixels_in_a_kilobyte_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_png_of_zeros(10_000, 10_000)
    assert len(data) < 1024
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(BadImageError, match="got 10000 x 10000"):
        decode(data, header("png"))
    with pytest.raises(BadImageError, match=f"{MAX_FRAME_PX} in all, got 10000 x 10000"):
        decode(data, header("png", 10_000, 10_000))
    with pytest.raises(BadImageError, match="got 10000 x 10000"):
        decode_image(data)


def test_a_zstd_bomb_is_not_decompressed() -> None:
    bomb = encode(np.zeros((8000, 8000), np.uint8), "zstd")
    with pytest.raises(BadImageError, match="got 64000000 bytes"):
        decode(bomb, header("zstd"))


def test_another_picture_of_the_same_size_is_refused() -> None:
    with pytest.raises(BadImageError, match="expected pixels with digest"):
        decode(encode(texture, "png"), header_for(texture[::-1], "png"))


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16), np.zeros((0, 4), np.uint8)]
)
def test_only_mono_8_bit_arrays_are_encoded(array: NDArray[np.uint8]) -> None:
    with pytest.raises(BadImageError, match=r"expected \(H, W\) uint8"):
        encode(array, "raw")


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".png", ".jpg"])
def test_headers_agree_with_opencv(suffix: str) -> None:
    data = png_of(texture, suffix)
    assert str(read_image_header(data)) == "48 x 64 8-bit mono"
    assert decode_image(data).shape == texture.shape


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_read_as_it_is_stored_whatever_its_orientation(orientation: int, order: str) -> None:
    data = tiff_of(texture, orientation, order)
    assert str(read_image_header(data)) == "48 x 64 8-bit mono"
    np.testing.assert_array_equal(decode_image(data), texture)


@pytest.mark.parametrize(("suffix", "bits"), [(".bmp", 8), (".tif", 8), (".tif", 16), (".png", 16)])
def test_headers_of_colour_images(suffix: str, bits: int) -> None:
    image = colour if bits == 8 else colour.astype(np.uint16) * 257
    claim = read_image_header(png_of(image, suffix))
    assert (claim.height, claim.width, claim.bits, claim.colour) == (48, 64, bits, "colour")


@given(data=st.binary(max_size=100))
def test_unknown_formats_are_named(data: bytes) -> None:
    with pytest.raises(BadImageError, match="expected a PNG, JPEG, BMP or TIFF image"):
        image_format(b"\0" + data)


def test_digests_differ_by_shape_and_by_kind() -> None:
    flat = np.zeros((4, 6), np.uint8)
    digests = {pixel_digest(flat), pixel_digest(flat.reshape(6, 4)), bytes_digest(flat.tobytes())}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}
    assert pixel_digest(np.asfortranarray(texture)) == pixel_digest(texture)
