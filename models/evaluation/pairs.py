"""Which map belongs to which mask, and what is refused before any figure is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.folders import IMAGE_SUFFIXES
from models.errors import EvaluationError
from models.evaluation.image_files import images_by_stem, read_grey, shown
from models.metrics.pair import MASK_OVER

LISTED = 5
"""Faults that an error line names; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A saliency map and the mask of the same stem.

    Attributes:
        name: the stem, printable.
        stem: the stem as the file system has it.
    """

    name: str
    stem: str
    prediction: Path
    mask: Path


def find_pairs(predictions: Path, masks: Path) -> list[Pair]:
    """Pair the images of two folders by their stems.

    Returns:
        Pairs in natural order: `a-2` before `a-10`.

    Raises:
        EvaluationError: an unreadable or empty folder, one folder twice, a stem of two files, or files that
            do not pair; names the first few.
    """
    if predictions.resolve() == masks.resolve():
        raise EvaluationError(f"expected a folder of maps and one of masks, got {shown(masks)} for both")
    maps_by_stem = _single_files(predictions, "maps")
    masks_by_stem = _single_files(masks, "masks")
    faults = [
        f"{len(alone)} {kind} in {shown(folder)} without {other}: {_first_few(alone)}"
        for kind, folder, other, alone in (
            ("maps", predictions, "a mask", _alone(maps_by_stem, masks_by_stem)),
            ("masks", masks, "a map", _alone(masks_by_stem, maps_by_stem)),
        )
        if alone
    ]
    if faults:
        raise EvaluationError(f"maps and masks pair by name without suffix: {'; '.join(faults)}")
    return [
        Pair(shown(stem), stem, maps_by_stem[stem], masks_by_stem[stem])
        for stem in sorted(maps_by_stem, key=_natural_key)
    ]


def load_pair(pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the map and the mask, both (H, W) uint8.

    Raises:
        EvaluationError: a file that is unreadable, too large or not 8-bit grey, or sizes that differ.
    """
    prediction, mask = read_grey(pair.prediction), read_grey(pair.mask)
    if prediction.shape != mask.shape:
        raise EvaluationError(
            f"{shown(pair.prediction)}: expected the size of its mask, {_size(mask)}, got {_size(prediction)}"
        )
    return prediction, mask


def check_pairs(pairs: Sequence[Pair], progress: Callable[[], object] = lambda: None) -> None:
    """Read every pair once, so that all that is wrong is said at once and before the work.

    Args:
        progress: called after each pair.

    Raises:
        EvaluationError: names the first few pairs that cannot be compared; or masks mark with a value that
            does not count, and none with one that does.
    """
    faults = []
    highest = 0
    for pair in pairs:
        try:
            highest = max(highest, int(load_pair(pair)[1].max()))
        except EvaluationError as error:
            faults.append(str(error))
        progress()
    if len(faults) == 1:
        raise EvaluationError(faults[0])
    if faults:
        raise EvaluationError(
            f"{len(faults)} of {len(pairs)} pairs cannot be compared: {_first_few(faults, '; ')}"
        )
    if 0 < highest <= MASK_OVER:
        raise EvaluationError(
            f"{shown(pairs[0].mask.parent)}: expected masks marked above {MASK_OVER}, "
            f"got a highest value of {highest}"
        )


def _single_files(folder: Path, kind: str) -> dict[str, Path]:
    stems = images_by_stem(folder)
    if not stems:
        raise EvaluationError(f"no {kind} in {shown(folder)}: expected {', '.join(IMAGE_SUFFIXES)} files")
    doubles = [path.name for paths in stems.values() if len(paths) > 1 for path in paths]
    if doubles:
        raise EvaluationError(f"{kind} in {shown(folder)} of one name: {_first_few(doubles)}")
    return {stem: paths[0] for stem, paths in stems.items()}


def _alone(files: dict[str, Path], others: dict[str, Path]) -> list[str]:
    return [files[stem].name for stem in sorted(files, key=_natural_key) if stem not in others]


def _first_few(texts: Sequence[str], separator: str = ", ") -> str:
    more = len(texts) - LISTED
    named: Iterable[str] = (shown(text) for text in texts[:LISTED])
    return separator.join(named) + (f" and {more} more" if more > 0 else "")


def _natural_key(stem: str) -> tuple[list[tuple[int, int | str]], str]:
    parts = re.split(r"(\d+)", stem)
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in parts], stem


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[0]} x {pixels.shape[1]}"
