"""Folders of images and masks: `images/NAME.png` beside `masks/NAME.png`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.image_files import IMAGE_SUFFIXES, is_image, read_levels, read_mask, shown

MARKED_OVER = 127
"""A pixel of a mask is marked where it is over this."""

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
        DatasetError: as of `pair_files`, or a mask of another size.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
    """
    return [load_sample(image, mask) for image, mask in pair_files(folder)]


def pair_files(folder: Path) -> list[tuple[Path, Path]]:
    """Return the paths of images and of their masks in a folder, sorted by name.

    Raises:
        DatasetError: no images, several of one name, one whose name is no text, a missing mask, or a folder
            that cannot be read.
    """
    paths = _images_of(folder / "images", _entries(folder / "images"))
    refuse_doubles(paths)
    masks = masks_by_stem(folder)
    for path in paths:
        if path.stem not in masks:
            raise DatasetError(f"no mask for {path}")
    return [(path, masks[path.stem]) for path in paths]


def images_below(folder: Path) -> list[Path]:
    """Return the images of a folder and of all in it but `masks`, sorted by path; links are not followed.

    Raises:
        DatasetError: no images, one whose name is no text, or a folder that cannot be read.
    """
    walked = os.walk(folder, onerror=_refuse_folder)
    files = [Path(place, name) for place, _, names in walked for name in names]
    return _images_of(folder, [path for path in files if path.parent.name != "masks"])


def refuse_doubles(paths: Sequence[Path]) -> None:
    """Let no two images take one mask.

    Raises:
        DatasetError: several of one name in one folder.
    """
    of_name = Counter(path.with_suffix("") for path in paths)
    for path in paths:
        count = of_name[path.with_suffix("")]
        if count > 1:
            raise DatasetError(f"expected one image of a name, got {count} of that of {path}")


def masks_by_stem(folder: Path) -> dict[str, Path]:
    """Return the files in `masks` of a folder, of any suffix.

    Where a stem has several, a PNG counts, or else another image.

    Raises:
        DatasetError: `masks` is there and cannot be read.
    """
    masks = folder / "masks"
    paths = sorted(_entries(masks), key=_mask_rank) if masks.exists() else []
    return {path.stem: path for path in paths}


def load_sample(image_path: Path, mask_path: Path, marked_over: int = MARKED_OVER) -> Sample:
    """Read an image and its mask, which counts as marked above a level.

    Raises:
        DatasetError: a mask of another size.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
    """
    image, mask = read_levels(image_path), read_mask(mask_path)
    if image.shape != mask.shape:
        raise DatasetError(f"mask of {image_path} should be {image.shape}, is {mask.shape}")
    return Sample(image_path.stem, image, np.where(mask > marked_over, 255, 0).astype(np.uint8))


def load_unlabelled(folder: Path) -> list[Sample]:
    """Return the images of a folder and of all in it but `masks`, sorted by path, with nothing marked.

    Raises:
        DatasetError: as of `images_below`.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
    """
    paths = images_below(folder)
    images = [read_levels(path) for path in paths]
    return [Sample(path.stem, image, np.zeros_like(image)) for path, image in zip(paths, images, strict=True)]


def class_of(name: str) -> str:
    """Return the class of a sample: the letters of `In_12`, nothing for other names."""
    prefix = _CLASS_PREFIX.match(name)
    return prefix.group() if prefix else ""


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        _refuse_folder(error)


def _refuse_folder(error: OSError) -> NoReturn:
    raise DatasetError(
        f"expected a folder that can be read, got {shown(error.filename)}: {error.strerror}"
    ) from None


def _images_of(folder: Path, paths: Sequence[Path]) -> list[Path]:
    images = sorted(path for path in paths if is_image(path))
    if not images:
        raise DatasetError(f"no images in {folder}: expected {', '.join(IMAGE_SUFFIXES)} files")
    for path in images:
        try:
            # Names decide what is held out and go into digests, which are made of text.
            path.name.encode()
        except UnicodeEncodeError:
            raise DatasetError(f"{shown(path)}: expected a file name in UTF-8") from None
    return images


def _mask_rank(path: Path) -> tuple[bool, bool, Path]:
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES, suffix == ".png", path
