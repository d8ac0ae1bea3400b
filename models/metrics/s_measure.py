"""Structure measure: how alike map and mask are as objects and as four regions.

Source: Fan et al., "Structure-measure: A New Way to Evaluate Foreground Maps" (ICCV 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.metrics.levels import BACKGROUND, FOREGROUND, Counts, Quadrant, sum_counts
from models.metrics.pair import EPSILON, Pair

ALPHA = 0.5
"""Share of the object-aware part."""


def s_measure(pair: Pair, parts: Sequence[Quadrant]) -> float:
    """Return the S-measure of the stretched map, 0 to 1.

    An empty mask scores 1 - mean saliency, a full one mean saliency. A quadrant without pixels, behind a
    centroid in the last row or column, has no weight; PySODMetrics gives NaN for such images.

    Args:
        pair: the map and its mask.
        parts: its quadrants.
    """
    if pair.foreground_px == 0:
        return 1 - float(pair.stretched.mean())
    if pair.background_px == 0:
        return float(pair.stretched.mean())
    return max(0.0, ALPHA * _objects(sum_counts(parts), pair.table) + (1 - ALPHA) * _regions(pair, parts))


def _objects(counts: Counts, table: NDArray[np.float64]) -> float:
    """Object-aware similarity of foreground and background, weighted by their sizes."""
    foreground = counts[FOREGROUND].sum() * _object(counts[FOREGROUND], table)
    background = counts[BACKGROUND].sum() * _object(counts[BACKGROUND], 1 - table)
    return float((foreground + background) / counts.sum())


def _object(counts: Counts, values: NDArray[np.float64]) -> float:
    size = int(counts.sum())
    mean = float(counts @ values / size)
    deviation = float(np.sqrt(counts @ (values - mean) ** 2 / max(size - 1, 1)))
    return 2 * mean / (mean**2 + 1 + deviation + EPSILON)


def _regions(pair: Pair, parts: Sequence[Quadrant]) -> float:
    """Region-aware similarity: quadrants weighted by their areas."""
    similarity = sum(part.stretched.size * _similarity(part, pair.table) for part in parts)
    return similarity / pair.prediction.size


def _similarity(part: Quadrant, table: NDArray[np.float64]) -> float:
    """Structural similarity of one quadrant, from its level counts."""
    levels = part.counts.sum(axis=0)
    size, foreground_px = part.stretched.size, int(part.counts[FOREGROUND].sum())
    if foreground_px in {0, size}:
        return _similarity_to_plain(levels, part.stretched)
    mean = float(levels @ table / size)
    mask_mean = foreground_px / size
    degrees = size - 1 + EPSILON
    variance = levels @ (table - mean) ** 2 / degrees
    mask_variance = foreground_px * (1 - mask_mean) / degrees
    covariance = part.counts[FOREGROUND] @ (table - mean) / degrees
    alike = 4 * mean * mask_mean * covariance
    return float(alike / ((mean**2 + mask_mean**2) * (variance + mask_variance) + EPSILON))


def _similarity_to_plain(levels: Counts, stretched: NDArray[np.float64]) -> float:
    """Similarity to a mask that is all one: 1 for a map that is all one too, else 0.

    PySODMetrics takes such a map for one that varies where rounding moves its mean off its value; the same
    comparison is made here, lest the figures of constant maps differ.
    """
    if np.count_nonzero(levels) > 1:
        return 0.0
    return float(stretched.mean() == stretched[0, 0])
