"""Folders of images and masks: `images/NAME.png` beside `masks/NAME.png`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError

MARKED_OVER = 127
"""A pixel of a mask is marked where it is over this."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")

_CLASS_PREFIX = re.compile(r"^[A-Za-z]+(?=_\d+$)")


@dataclass(frozen=True)
class Sample:
    """One grey image with its mask, both (H, W) uint8; a teacher's mask is soft, marked from 128 on."""

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    @property
    def is_clean(self) -> bool:
        """Whether the mask marks nothing."""
        return not (self.mask > MARKED_OVER).any()


def load_samples(folder: Path) -> list[Sample]:
    """Return the samples of a folder, sorted by name.

    Args:
        folder: holds `images` and `masks`, whose files pair by stem.

    Raises:
        DatasetError: no images, an unreadable file, a missing mask, or a mask of another size.
    """
    return [load_sample(image, mask) for image, mask in pair_files(folder)]


def pair_files(folder: Path) -> list[tuple[Path, Path]]:
    """Return the paths of images and of their masks in a folder, sorted by name.

    Raises:
        DatasetError: no images, several of one name, or a missing mask.
    """
    paths = sorted(path for path in (folder / "images").glob("*") if _is_image(path))
    if not paths:
        raise DatasetError(f"no images in {folder / 'images'}")
    masks, of_name = masks_by_stem(folder), Counter(path.stem for path in paths)
    for path in paths:
        if of_name[path.stem] > 1:
            raise DatasetError(f"expected one image of a name, got {of_name[path.stem]} of that of {path}")
        if path.stem not in masks:
            raise DatasetError(f"no mask for {path}")
    return [(path, masks[path.stem]) for path in paths]


def masks_by_stem(folder: Path) -> dict[str, Path]:
    """Return the files in `masks` of a folder, of any suffix.

    Where a stem has several, a PNG counts, or else another image.
    """
    paths = sorted((folder / "masks").glob("*"), key=_mask_rank)
    return {path.stem: path for path in paths}


def load_sample(image_path: Path, mask_path: Path) -> Sample:
    """Read an image and its mask, which counts as marked above 127.

    Raises:
        DatasetError: an unreadable file, or a mask of another size.
    """
    image, mask = read_grey(image_path), read_grey(mask_path)
    if image.shape != mask.shape:
        raise DatasetError(f"mask of {image_path} should be {image.shape}, is {mask.shape}")
    return Sample(image_path.stem, image, np.where(mask > MARKED_OVER, 255, 0).astype(np.uint8))


def load_unlabelled(folder: Path) -> list[Sample]:
    """Return the images of a folder and of all in it but `masks`, sorted by path, with nothing marked.

    Raises:
        DatasetError: no images, or an unreadable file.
    """
    paths = sorted(path for path in folder.rglob("*") if _is_image(path) and path.parent.name != "masks")
    if not paths:
        raise DatasetError(f"no images in {folder}")
    images = [read_grey(path) for path in paths]
    return [Sample(path.stem, image, np.zeros_like(image)) for path, image in zip(paths, images, strict=True)]


def class_of(name: str) -> str:
    """Return the class of a sample: the letters of `In_12`, nothing for other names."""
    prefix = _CLASS_PREFIX.match(name)
    return prefix.group() if prefix else ""


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as grey levels, `(H, W)` uint8, not turned by its EXIF data, as the line reads it.

    Raises:
        DatasetError: an unreadable file.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DatasetError(f"cannot read image {path}")
    return np.asarray(pixels, dtype=np.uint8)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _mask_rank(path: Path) -> tuple[bool, bool, Path]:
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES, suffix == ".png", path
