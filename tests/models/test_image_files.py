from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import ImageFileError
from models.image_files import (
    MAX_IMAGE_PX,
    images_by_stem,
    read_grey,
    read_levels,
    read_mask,
    read_picture,
    shown,
)
from tests.models.evaluation.sets import bomb, mask_and_map, png, write

PIXELS = mask_and_map(1)[1]
MARKED = mask_and_map(1)[0]
GREY = 9
"""Any level."""


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_grey_comes_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"a{suffix}", PIXELS)
    np.testing.assert_array_equal(read_grey(tmp_path / f"a{suffix}"), PIXELS)


def test_grey_jpeg_comes_nearly_so(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", PIXELS)
    assert np.abs(read_grey(tmp_path / "a.jpg").astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "1-bit"),
        ("LA", "grey with alpha"),
        ("P", "a palette"),
        ("RGB", "colour"),
        ("RGBA", "colour with alpha"),
        ("I;16", "16-bit grey"),
    ],
)
def test_another_kind_is_named(tmp_path: Path, mode: str, kind: str) -> None:
    Image.new(mode, (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match=rf"a\.png: expected 8-bit grey, got {kind}$"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [2, 4])
def test_fewer_bits_are_not_widened_in_silence(tmp_path: Path, bits: int) -> None:
    (tmp_path / "a.png").write_bytes(png(8, 3, bits, 0, (b"\0" + bytes(bits)) * 3))
    with pytest.raises(ImageFileError, match=f"expected 8-bit grey, got {bits}-bit grey$"):
        read_grey(tmp_path / "a.png")


def test_a_transparent_level_is_alpha(tmp_path: Path) -> None:
    rows = (b"\0" + bytes(8)) * 3
    (tmp_path / "a.png").write_bytes(png(8, 3, 8, 0, rows, (b"tRNS", b"\0\0")))
    with pytest.raises(ImageFileError, match=r"expected 8-bit grey, got grey with alpha$"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_grey, read_picture, read_levels, read_mask])
def test_a_bomb_is_not_decoded(tmp_path: Path, read: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(bomb())
    side = int(MAX_IMAGE_PX**0.5) + 1
    (tmp_path / "b.png").write_bytes(png(side, side, 8, 0, bytes(1000)))
    for decoder in ("PIL.ImageFile.ImageFile.load", "models.image_files.cv2.imdecode"):
        monkeypatch.setattr(decoder, lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageFileError, match=rf"a\.png: expected at most {MAX_IMAGE_PX} pixels, got more"):
        read(tmp_path / "a.png")  # type: ignore[operator]
    with pytest.raises(ImageFileError, match=rf"b\.png: expected at most .*, got {side} x {side}"):
        read(tmp_path / "b.png")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected a PNG, JPEG or BMP image"),
        (b"no image at all", "expected a PNG, JPEG or BMP image"),
        (b"GIF89a" + bytes(40), "expected a PNG, JPEG or BMP image"),
        (cv2.imencode(".png", PIXELS)[1].tobytes()[:600], "cannot be read as an image"),
        (cv2.imencode(".jpg", PIXELS)[1].tobytes()[:700], "cannot be read as an image"),
    ],
    ids=["empty", "text", "another format", "cut off PNG", "cut off JPEG"],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageFileError, match=rf"a\.png: {says}"):
        read_grey(tmp_path / "a.png")


def test_damaged_pixels_are_no_pixels(tmp_path: Path) -> None:
    data = bytearray(cv2.imencode(".png", PIXELS)[1].tobytes())
    data[data.index(b"IDAT") + 20] ^= 0xFF
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageFileError, match=r"a\.png: cannot be read as an image"):
        read_grey(tmp_path / "a.png")


@settings(max_examples=60)
@given(
    suffix=st.sampled_from([".png", ".jpg", ".bmp"]),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4),
    kept=st.floats(0.02, 1),
)
def test_damage_is_an_error_or_an_image(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, changes: list[tuple[int, int]], kept: float
) -> None:
    data = bytearray(cv2.imencode(suffix, PIXELS)[1].tobytes())
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    path.write_bytes(data[: max(1, int(kept * len(data)))])
    with contextlib.suppress(ImageFileError):
        assert read_grey(path).ndim == 2


WHITE, OPAQUE = np.full_like(MARKED, 255), np.full_like(MARKED, 255)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.png", Image.fromarray(MARKED)),
        ("a.png", Image.fromarray(MARKED).convert("1")),
        ("a.png", Image.fromarray(MARKED).convert("RGB")),
        ("a.png", Image.fromarray(MARKED).convert("P")),
        ("a.png", Image.fromarray(np.dstack([MARKED, MARKED, MARKED, OPAQUE]))),
        ("a.bmp", Image.fromarray(MARKED)),
        ("a.tif", Image.fromarray(MARKED)),
        ("a.gif", Image.fromarray(MARKED)),
        ("a.webp", Image.fromarray(MARKED).convert("RGB")),
    ],
    ids=["grey", "1-bit", "colour", "palette", "opaque", "BMP", "TIFF", "GIF", "WebP"],
)
def test_a_mask_is_what_it_shows_however_it_was_written(
    tmp_path: Path, name: str, image: Image.Image
) -> None:
    image.save(tmp_path / name, lossless=True)
    for read in (read_mask, read_levels):
        np.testing.assert_array_equal(read(tmp_path / name), MARKED)


@pytest.mark.parametrize(
    ("pixels", "came"),
    [
        (MARKED.astype(np.uint16), "8-bit pixels, got 16-bit grey"),
        (np.dstack([MARKED, MARKED, MARKED]).astype(np.uint16), "8-bit pixels, got 16-bit colour"),
        (np.dstack([WHITE, WHITE, WHITE, MARKED]), "opaque pixels, got colour with alpha that is transp"),
    ],
    ids=["16 bits", "16 bits of colours", "alpha"],
)
def test_training_guesses_no_levels(tmp_path: Path, pixels: np.ndarray, came: str) -> None:
    write(tmp_path / "a.png", pixels)
    for read in (read_mask, read_levels):
        with pytest.raises(ImageFileError, match=rf"a\.png: expected {came}"):
            read(tmp_path / "a.png")


def test_class_colours_are_no_mask(tmp_path: Path) -> None:
    classes = Image.fromarray(MARKED // 255).convert("P")
    classes.putpalette([0, 0, 0, 128, 0, 0])
    classes.save(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match="expected a mask in 8-bit grey, got a palette that is not grey"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [2, 4])
def test_class_numbers_of_few_bits_are_no_mask(tmp_path: Path, bits: int) -> None:
    (tmp_path / "a.png").write_bytes(png(8, 3, bits, 0, (b"\0" + bytes([0b00011011] * bits)) * 3))
    with pytest.raises(ImageFileError, match=f"expected a mask in 8-bit grey, got {bits}-bit grey"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_half_a_file_does_not_train(tmp_path: Path, suffix: str) -> None:
    data = cv2.imencode(suffix, PIXELS)[1].tobytes()
    (tmp_path / f"a{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageFileError, match="cannot be read as an image"):
        read_levels(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("read", [read_picture, read_levels, read_mask])
@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_side_that_the_decoder_refuses_is_named(tmp_path: Path, suffix: str, read: object) -> None:
    Image.new("L", (2**20 + 1, 1)).save(tmp_path / f"a{suffix}")
    with pytest.raises(ImageFileError, match=rf"a\{suffix}: cannot be read as an image"):
        read(tmp_path / f"a{suffix}")  # type: ignore[operator]


def test_any_picture_to_look_at(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (250, 10, 20)).save(tmp_path / "colour.png")
    Image.new("I;16", (6, 4), GREY * 256).save(tmp_path / "deep.png")
    assert read_picture(tmp_path / "colour.png")[0, 0].tolist() == [20, 10, 250]
    assert read_picture(tmp_path / "deep.png").tolist() == np.full((4, 6, 3), GREY).tolist()


def test_hidden_files_and_others_are_no_images(tmp_path: Path) -> None:
    for name in ("a.png", "a.JPG", ".b.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.png").mkdir()
    assert images_by_stem(tmp_path) == {"a": [tmp_path / "a.JPG", tmp_path / "a.png"]}


def test_names_are_printable() -> None:
    assert shown("a\x1b[31m\udce4\n") == "a\N{REPLACEMENT CHARACTER}[31m" + "\N{REPLACEMENT CHARACTER}" * 2
