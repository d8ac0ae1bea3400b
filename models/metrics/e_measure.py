"""Enhanced-alignment measure of binary maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.metrics.confusion import Confusion
from models.metrics.pair import EPSILON


def e_measure(confusion: Confusion) -> NDArray[np.float64]:
    """Return the E-measure of the map that each threshold makes.

    A pixel's alignment depends only on whether it was found and whether it is true: the four counts say all.
    An empty mask scores the share that was not found, a full one the share that was. The sum over the N
    pixels is divided by N - 1, as in the authors' code: a perfect map scores N / (N - 1), and an image of one
    pixel has no score worth reading.

    Source: Fan et al., "Enhanced-alignment Measure for Binary Foreground Map Evaluation" (IJCAI 2018).
    """
    found = confusion.found
    size = confusion.foreground_px + confusion.background_px
    if confusion.foreground_px == 0:
        aligned = size - found
    elif confusion.background_px == 0:
        aligned = found
    else:
        map_mean, mask_mean = found / size, confusion.foreground_px / size
        misses = confusion.foreground_px - confusion.hits
        rejections = confusion.background_px - confusion.false_alarms
        aligned = (
            confusion.hits * _alignment(1 - map_mean, 1 - mask_mean)
            + confusion.false_alarms * _alignment(1 - map_mean, -mask_mean)
            + misses * _alignment(-map_mean, 1 - mask_mean)
            + rejections * _alignment(-map_mean, -mask_mean)
        )
    return aligned / (size - 1 + EPSILON)


def _alignment(of_map: NDArray[np.float64], of_mask: float) -> NDArray[np.float64]:
    """Enhanced alignment, 0 to 1, of two values from which the means were taken."""
    alignment = 2 * of_map * of_mask / (of_map**2 + of_mask**2 + EPSILON)
    enhanced: NDArray[np.float64] = (alignment + 1) ** 2 / 4
    return enhanced
