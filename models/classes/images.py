"""Labelled images: read from folders, with the masks that tell their findings, and split."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classes.crops import Grey, Mask
from models.classes.recipe import Label
from models.data.folders import class_of, images_below, masks_by_stem, refuse_doubles
from models.errors import DatasetError
from models.image_files import read_levels, read_mask

Side = Literal["train", "validation", "held back"]

LEAST_REGION_PX = 24
"""Smaller ones are no findings on the line either."""

HALF = 128
"""Of 255: saliency from which a pixel belongs to a finding."""

_NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True)
class Finding:
    """The pixels of one finding in their box, `(h, w)`, and where the box begins in the image."""

    mask: Mask
    top: int
    left: int


@dataclass(frozen=True)
class LabelledImage:
    """An image of one class of defect.

    Attributes:
        name: of its file.
        label: as its data set calls the defect.
        defect_class: as we do.
        pixels: `(H, W)` uint8.
        masks: where the defect is, one or several opinions, `(H, W)`; none where nobody has said.
    """

    name: str
    label: str
    defect_class: str
    pixels: Grey
    masks: tuple[Mask, ...] = ()


def read_labelled(folder: Path, labels: Mapping[str, Label]) -> list[LabelledImage]:
    """Return the images of a folder whose labels are known, sorted by path.

    An image's label is the name of its folder, or of the folder around `images`, or the letters of a name
    such as `In_12`. A mask of equal name in `masks` beside `images` is read with it.

    Raises:
        DatasetError: as of `images_below`, no image of any label, two that would take one mask, a mask of
            another size, or masks none of which marks enough.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
    """
    found = [(path, label) for path in images_below(folder) if (label := _label_of(path, labels))]
    if not found:
        raise DatasetError(f"no labelled images in {folder}: expected any of {', '.join(labels)}")
    beside = {path.parent for path, _ in found if path.parent.name == "images"}
    masks = {images: masks_by_stem(images.parent) for images in beside}
    mask_of = [masks.get(path.parent, {}).get(path.stem) for path, _ in found]
    refuse_doubles([path for (path, _), mask in zip(found, mask_of, strict=True) if mask])
    images = [
        _read(path, mask, label, labels[label].defect_class)
        for (path, label), mask in zip(found, mask_of, strict=True)
    ]
    _refuse_unmarked(folder, images, [mask for mask in mask_of if mask])
    return images


def with_maps(
    images: Iterable[LabelledImage], map_of: Sequence[Callable[[Grey], NDArray[np.uint8]]]
) -> list[LabelledImage]:
    """Return the images; those without a mask get one for each function that makes a saliency map.

    Without such a function all of the image is marked.
    """
    return [image if image.masks else replace(image, masks=_maps(image.pixels, map_of)) for image in images]


def split_images(
    images: Iterable[LabelledImage],
    labels: Mapping[str, Label],
    block: int,
    pinned: Mapping[str, Side] | None = None,
) -> dict[Side, list[LabelledImage]]:
    """Split every label by blocks of neighbouring numbers.

    Args:
        images: of which files are numbered.
        labels: with the shares of each side.
        block: numbers of one block.
        pinned: side of some images by name, whatever their block.
    """
    sides: dict[Side, list[LabelledImage]] = {"train": [], "validation": [], "held back": []}
    by_label: dict[str, list[LabelledImage]] = {}
    for image in images:
        by_label.setdefault(image.label, []).append(image)
    for label, members in sorted(by_label.items()):
        blocks = sorted({_block_of(image, block) for image in members}, key=lambda one: _rank(label, one))
        held_back = round(labels[label].held_back_share * len(blocks))
        validation = held_back + round(labels[label].validation_share * len(blocks))
        place = {one: index for index, one in enumerate(blocks)}
        for image in members:
            index = place[_block_of(image, block)]
            side: Side = "held back" if index < held_back else "validation" if index < validation else "train"
            sides[(pinned or {}).get(image.name, side)].append(image)
    return sides


def findings_of(mask: Mask) -> list[Finding]:
    """The findings that a mask marks, the largest first; all of the image where it marks none."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    findings = [
        (int(area), Finding(labels[top : top + height, left : left + width] == number, top, left))
        for number, (left, top, width, height, area) in enumerate(stats.tolist())
        if number and area >= LEAST_REGION_PX
    ]
    findings.sort(key=lambda one: (-one[0], one[1].top, one[1].left))
    return [finding for _, finding in findings] or [Finding(np.ones_like(mask), 0, 0)]


def _maps(pixels: Grey, map_of: Sequence[Callable[[Grey], NDArray[np.uint8]]]) -> tuple[Mask, ...]:
    return tuple(make(pixels) >= HALF for make in map_of) or (np.ones(pixels.shape, np.bool_),)


def _label_of(path: Path, labels: Mapping[str, Label]) -> str:
    folder = path.parent.parent if path.parent.name == "images" else path.parent
    return next((name for name in (folder.name, class_of(path.stem)) if name in labels), "")


def _read(path: Path, mask_path: Path | None, label: str, defect_class: str) -> LabelledImage:
    pixels = read_levels(path)
    if mask_path is None:
        return LabelledImage(path.stem, label, defect_class, pixels)
    mask = read_mask(mask_path) >= HALF
    if mask.shape != pixels.shape:
        raise DatasetError(f"mask of {path} should be {pixels.shape}, is {mask.shape}")
    return LabelledImage(path.stem, label, defect_class, pixels, (mask,))


def _refuse_unmarked(folder: Path, images: Sequence[LabelledImage], masks: Sequence[Path]) -> None:
    """Let no masks of class numbers pass for clean ones, whose images are one finding each as a whole."""
    if any(mask.any() for image in images for mask in image.masks):
        return
    highest = max((int(read_mask(path).max()) for path in masks), default=0)
    if highest:
        raise DatasetError(
            f"{folder}: expected masks marked from {HALF} on, got a highest value of {highest}"
        )


def _block_of(image: LabelledImage, block: int) -> int:
    number = _NUMBER.search(image.name)
    return int(number.group()) // block if number else 0


def _rank(label: str, block: int) -> bytes:
    return hashlib.blake2b(f"{label}/{block}".encode(), digest_size=8).digest()
