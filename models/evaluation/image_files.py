"""Image files whose size and kind are checked before anything is decoded."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from models.data.folders import IMAGE_SUFFIXES
from models.errors import EvaluationError

FORMATS = ("PNG", "JPEG", "BMP")
"""Decoders that a file may reach, whatever its name."""

MAX_IMAGE_PX = 64 * 1024 * 1024
"""Largest image that is decoded, as of frames; scoring one takes 2 GB, and a decoder allocates any claim."""

_KINDS = {
    "1": "1-bit",
    "LA": "grey with alpha",
    "P": "a palette",
    "RGB": "colour",
    "RGBA": "colour with alpha",
    "CMYK": "colour",
    "YCbCr": "colour",
    "I": "32-bit grey",
    "F": "floating-point grey",
}
"""What Pillow's modes mean; those of 16 bits begin with `I;16`."""


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Return the image files right in a folder by their stem, hidden ones left out.

    Raises:
        EvaluationError: the folder cannot be read.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise EvaluationError(f"expected a folder of images, got {shown(folder)}: {error.strerror}") from None
    stems: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            stems.setdefault(path.stem, []).append(path)
    return stems


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image of 8-bit grey pixels, not turned by its EXIF data.

    Returns:
        (H, W) uint8.

    Raises:
        EvaluationError: unreadable, too large, or another kind of image.
    """
    with _opened(path) as image:
        kind = _kind(image)
        if kind != "8-bit grey":
            raise EvaluationError(f"{shown(path)}: expected 8-bit grey, got {kind}")
        try:
            # Pillow decodes damaged pixels as they come; only this, on another image, compares checksums.
            with _opened(path) as copy:
                copy.verify()
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise EvaluationError(f"{shown(path)}: cannot be read as an image: {error}") from None
        return np.array(image, dtype=np.uint8)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read any image to look at.

    Returns:
        (H, W, 3) uint8, blue first.

    Raises:
        EvaluationError: unreadable or too large.
    """
    with _opened(path):
        data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise EvaluationError(f"{shown(path)}: cannot be read as an image")
    return np.asarray(pixels, dtype=np.uint8)


def shown(name: str | Path) -> str:
    """A file name for people: what no terminal or encoder may meet is replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(name))


def _opened(path: Path) -> ImageFile.ImageFile:
    try:
        with warnings.catch_warnings():
            # Pillow only warns of images between its soft and its hard limit; ours is below both.
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError:
        raise EvaluationError(f"{shown(path)}: expected at most {MAX_IMAGE_PX} pixels, got more") from None
    except UnidentifiedImageError:
        raise EvaluationError(f"{shown(path)}: expected a PNG, JPEG or BMP image") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise EvaluationError(f"{shown(path)}: cannot be read: {reason}") from None
    except (ValueError, SyntaxError) as error:
        raise EvaluationError(f"{shown(path)}: cannot be read as an image: {error}") from None
    width, height = image.size
    if width * height > MAX_IMAGE_PX:
        image.close()
        raise EvaluationError(
            f"{shown(path)}: expected at most {MAX_IMAGE_PX} pixels, got {height} x {width}"
        )
    return image


def _kind(image: ImageFile.ImageFile) -> str:
    """What an image that is open and not yet decoded holds."""
    if image.mode.startswith("I;16"):
        return "16-bit grey"
    if image.mode != "L":
        return _KINDS.get(image.mode, f"mode {image.mode}")
    if "transparency" in image.info:
        return "grey with alpha"
    # Pillow widens 2 and 4 bits to 8 while it decodes; the arguments of its decoder tell.
    narrow = re.search(r"L;([24])", str(image.tile))
    return f"{narrow.group(1)}-bit grey" if narrow else "8-bit grey"
