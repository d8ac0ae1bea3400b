"""Pixels counted by their level: all that most metrics need to know of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.pair import Pair

Counts = NDArray[np.float64]
"""Pixels: whole numbers, as floats, for they are multiplied with values everywhere and stay exact to 2^53."""

BACKGROUND = 0
FOREGROUND = 1
"""Rows of level counts."""

COUNTED_PX = 2**24
"""OpenCV counts in float32: above this it would lose pixels."""


@dataclass(frozen=True, slots=True)
class Quadrant:
    """A part of a map, cut at the centroid of the mask's foreground.

    Attributes:
        stretched: its part of the stretched map, (h, w) float64.
        counts: (2, 256) pixels of the background, then of the foreground, at each level of the map as it is.
    """

    stretched: NDArray[np.float64]
    counts: Counts


def quadrants(pair: Pair) -> list[Quadrant]:
    """Cut a map in four where the S-measure does, and count each part; together they are the map.

    A part without pixels, behind a centroid in the last row or column, is left out. A mask without a
    foreground has no centroid: the map is one part.
    """
    row, column = _centroid(pair.foreground) if pair.foreground_px else pair.prediction.shape
    windows = product((slice(row), slice(row, None)), (slice(column), slice(column, None)))
    parts = [(pair.stretched[window], window) for window in windows]
    return [Quadrant(part, _counts(pair, window)) for part, window in parts if part.size]


def sum_counts(parts: Sequence[Quadrant]) -> Counts:
    """Return the (2, 256) level counts of the whole map."""
    counts = parts[0].counts.copy()
    for part in parts[1:]:
        counts += part.counts
    return counts


def mean_error(counts: Counts, table: NDArray[np.float64]) -> float:
    """Return the mean absolute error of a map whose levels have the values of a table.

    Source: Perazzi et al., "Saliency Filters: Contrast Based Filtering for Salient Region Detection" (CVPR
    2012).
    """
    errors = counts[BACKGROUND] @ table + counts[FOREGROUND] @ (1 - table)
    return float(errors / counts.sum())


def _centroid(foreground: NDArray[np.uint8]) -> tuple[int, int]:
    """First row and column of the lower right part: the centre rounded half to even, and one further."""
    by_row = cv2.reduce(foreground, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    by_column = cv2.reduce(foreground, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    row, column = (int(np.arange(len(px)) @ px) / int(px.sum()) for px in (by_row, by_column))
    return round(row) + 1, round(column) + 1


def _counts(pair: Pair, window: tuple[slice, slice]) -> Counts:
    prediction, foreground = pair.prediction[window], pair.foreground[window]
    counts = np.zeros((256, 2))
    rows = max(1, COUNTED_PX // prediction.shape[1])
    for top in range(0, len(prediction), rows):
        images = [prediction[top : top + rows], foreground[top : top + rows]]
        counts += cv2.calcHist(images, [0, 1], None, [256, 2], [0, 256, 0, 2])
    return np.ascontiguousarray(counts.T)
