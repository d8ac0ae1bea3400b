"""Pixels counted by their level: all that most metrics need to know of a map."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.pair import Pair

BACKGROUND = 0
FOREGROUND = 1
"""Rows of level counts."""


@dataclass(frozen=True, slots=True)
class Quadrant:
    """A part of a map, cut at the centroid of the mask's foreground.

    Attributes:
        stretched: its part of the stretched map, (h, w) float64.
        counts: (2, 256) pixels of the background, then of the foreground, at each level of the map as it is.
    """

    stretched: NDArray[np.float64]
    counts: NDArray[np.int64]


def quadrants(pair: Pair) -> list[Quadrant]:
    """Cut a map in four where the S-measure does, and count each part; together they are the map.

    A part without pixels, behind a centroid in the last row or column, is left out. A mask without a
    foreground has no centroid: the map is one part.
    """
    row, column = _centroid(pair.foreground) if pair.foreground_px else pair.prediction.shape
    windows = product((slice(row), slice(row, None)), (slice(column), slice(column, None)))
    parts = [(pair.stretched[window], window) for window in windows]
    return [Quadrant(part, _counts(pair, window)) for part, window in parts if part.size]


def mean_error(counts: NDArray[np.int64], table: NDArray[np.float64]) -> float:
    """Return the mean absolute error of a map whose levels have the values of a table.

    Source: Perazzi et al., "Saliency Filters: Contrast Based Filtering for Salient Region Detection" (CVPR
    2012).
    """
    errors = counts[BACKGROUND] @ table + counts[FOREGROUND] @ (1 - table)
    return float(errors / counts.sum())


def _centroid(foreground: NDArray[np.uint8]) -> tuple[int, int]:
    """First row and column of the lower right part: the centre rounded half to even, and one further."""
    sums = cv2.moments(foreground, binaryImage=True)
    return round(sums["m01"] / sums["m00"]) + 1, round(sums["m10"] / sums["m00"]) + 1


def _counts(pair: Pair, window: tuple[slice, slice]) -> NDArray[np.int64]:
    both = pair.foreground[window].astype(np.uint16)
    both <<= 8
    both |= pair.prediction[window]
    return np.bincount(both.ravel(), minlength=512).reshape(2, 256)
