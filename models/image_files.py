"""Image files whose size and kind are checked before anything is decoded."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from models.errors import ImageFileError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
FORMATS = ("PNG", "JPEG", "BMP")
"""Decoders that a file may reach, whatever its name."""

TRAINING_FORMATS = (*FORMATS, "TIFF", "GIF", "WEBP", "PPM")
"""The same of training, whose masks may be of any suffix."""

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
"""What Pillow's modes mean."""

_NARROW = frozenset({"2-bit grey", "4-bit grey"})
_OPAQUE = 255


def is_image(path: Path) -> bool:
    """Whether a file's name is that of an image, and not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Return the image files right in a folder by their stem, hidden ones left out.

    Raises:
        ImageFileError: the folder cannot be read.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ImageFileError(f"expected a folder of images, got {shown(folder)}: {error.strerror}") from None
    stems: dict[str, list[Path]] = {}
    for path in files:
        if is_image(path):
            stems.setdefault(path.stem, []).append(path)
    return stems


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image of 8-bit grey pixels, not turned by its EXIF data.

    Returns:
        (H, W) uint8.

    Raises:
        ImageFileError: unreadable, too large, or another kind of image.
    """
    with _opened(path) as image:
        kind = _kind(image)
        if kind != "8-bit grey":
            raise ImageFileError(f"{shown(path)}: expected 8-bit grey, got {kind}")
        _load(path, image, FORMATS)
        return np.array(image, dtype=np.uint8)


def read_levels(path: Path) -> NDArray[np.uint8]:
    """Read the grey levels of an image that trains, in colour or not, not turned by its EXIF data.

    Returns:
        (H, W) uint8.

    Raises:
        ImageFileError: unreadable, too large, of more than 8 bits, or transparent somewhere.
    """
    return _levels(path)[0]


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Read a mask that trains: 8-bit or 1-bit grey, or the same written as colours or with an opaque alpha.

    Returns:
        (H, W) uint8, 0 to 255.

    Raises:
        ImageFileError: unreadable, too large, or of pixels whose meaning as a mask is a guess.
    """
    levels, pixels, kind = _levels(path)
    # Class numbers of 2 bits would come out as 85 and 170: some of them marked and others not.
    if kind in _NARROW:
        raise ImageFileError(f"{shown(path)}: expected a mask in 8-bit grey, got {kind}")
    if pixels.ndim == 3 and (pixels[..., :3] != pixels[..., :1]).any():
        raise ImageFileError(f"{shown(path)}: expected a mask in 8-bit grey, got {kind} that is not grey")
    return levels


@dataclass(frozen=True)
class Stored:
    """What the header of an image file says.

    Attributes:
        kind: format, and compression where the format has several.
        size: (H, W).
        lossy: whether that kind may lose pixels.
    """

    kind: str
    size: tuple[int, int]
    lossy: bool


def stored(path: Path) -> Stored:
    """Read the header of an image that trains.

    Raises:
        ImageFileError: no image.
    """
    with _opened(path, TRAINING_FORMATS) as image:
        kind = f"{image.format} {image.info.get('compression', '')}".strip()
        lossy = any(name in kind.upper() for name in ("JPEG", "MPO", "WEBP"))
        return Stored(kind, (image.height, image.width), lossy)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read any image to look at.

    Returns:
        (H, W, 3) uint8, blue first.

    Raises:
        ImageFileError: unreadable or too large.
    """
    with _opened(path):
        pixels = _decoded(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(pixels, dtype=np.uint8)


def shown(name: str | Path) -> str:
    """A file name for people: what no terminal or encoder may meet is replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(name))


def _levels(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any], str]:
    """Grey levels, the pixels as they are stored, and what Pillow calls them."""
    with _opened(path, TRAINING_FORMATS) as image:
        kind = _kind(image)
        # OpenCV fills what is missing of half a JPEG with grey.
        _load(path, image, TRAINING_FORMATS)
    pixels = _decoded(path, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint8:
        # Of 16 bits OpenCV keeps the upper eight: 0 to 255 would all be 0, and 12 bits nearly black.
        raise ImageFileError(f"{shown(path)}: expected 8-bit pixels, got {kind}")
    if pixels.ndim == 3 and pixels.shape[2] > 3 and (pixels[..., 3] < _OPAQUE).any():
        raise ImageFileError(f"{shown(path)}: expected opaque pixels, got {kind} that is transparent in part")
    levels = _decoded(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(levels, dtype=np.uint8), pixels, kind


def _decoded(path: Path, flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except cv2.error:
        # OpenCV takes no side of more than 2**20 pixels, and says so of PNG alone by None.
        pixels = None
    if pixels is None:
        raise ImageFileError(f"{shown(path)}: cannot be read as an image")
    return pixels


def _load(path: Path, image: ImageFile.ImageFile, formats: tuple[str, ...]) -> None:
    try:
        # Pillow decodes damaged pixels as they come; only this, on another image, compares checksums.
        with _opened(path, formats) as copy:
            copy.verify()
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageFileError(f"{shown(path)}: cannot be read as an image: {error}") from None


def _opened(path: Path, formats: tuple[str, ...] = FORMATS) -> ImageFile.ImageFile:
    try:
        with warnings.catch_warnings():
            # Pillow only warns of images between its soft and its hard limit; ours is below both.
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=formats)
    except Image.DecompressionBombError:
        raise ImageFileError(f"{shown(path)}: expected at most {MAX_IMAGE_PX} pixels, got more") from None
    except UnidentifiedImageError:
        named = f"{', '.join(formats[:-1])} or {formats[-1]}"
        raise ImageFileError(f"{shown(path)}: expected a {named} image") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageFileError(f"{shown(path)}: cannot be read: {reason}") from None
    except (ValueError, SyntaxError) as error:
        raise ImageFileError(f"{shown(path)}: cannot be read as an image: {error}") from None
    width, height = image.size
    if width * height > MAX_IMAGE_PX:
        image.close()
        raise ImageFileError(f"{shown(path)}: expected at most {MAX_IMAGE_PX} pixels, got {height} x {width}")
    return image


def _kind(image: ImageFile.ImageFile) -> str:
    """What an image that is open and not yet decoded holds."""
    if image.mode.startswith("I;16"):
        return "16-bit grey"
    if image.mode != "L":
        kind = _KINDS.get(image.mode, f"mode {image.mode}")
        # Pillow has no 16-bit colours: it keeps the upper eight bits while it decodes.
        return f"16-bit {kind}" if ";16" in str(image.tile) else kind
    if "transparency" in image.info:
        return "grey with alpha"
    # Pillow widens 2 and 4 bits to 8 while it decodes; the arguments of its decoder tell.
    narrow = re.search(r"L;([24])", str(image.tile))
    return f"{narrow.group(1)}-bit grey" if narrow else "8-bit grey"
