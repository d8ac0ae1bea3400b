"""Weighted F-measure: errors weighed by where they lie.

Source: Margolin, Zelnik-Manor and Tal, "How to Evaluate Foreground Maps?" (CVPR 2014).
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.pair import EPSILON, Pair

WINDOW_PX = 7
SIGMA_PX = 5.0
HALF_IMPORTANCE_PX = 5.0
"""A false alarm weighs 1 beside the foreground and 1.5 at this distance; 2 is the limit."""

_LOG_DECAY_PER_PX = math.log(0.5) / HALF_IMPORTANCE_PX

REACH_PX = WINDOW_PX // 2
"""How far from the foreground the window still sees the background."""

OFFSET_PX = 4
"""Largest step along one axis from a pixel in reach to its nearest foreground: sqrt(2) times the reach."""

_KERNEL = cv2.getGaussianKernel(WINDOW_PX, SIGMA_PX)

_STEPS = 2 * OFFSET_PX + 1
_FAR = 30_000
"""More than the code of any step, small enough that adding two steps stays in uint16."""


def weighted_f(pair: Pair) -> float:
    """Return the weighted F-measure of the stretched map, beta 1, 0 to 1; 0 for an empty mask."""
    if pair.foreground_px == 0:
        return 0.0
    # Images of float32, sums of float64: right to seven digits at half the memory traffic.
    stretched = cv2.LUT(pair.prediction, pair.table.astype(np.float32))
    missed = _missed_foreground(stretched, pair.foreground)
    true = pair.foreground_px - missed
    recall = 1 - missed / pair.foreground_px
    precision = true / (true + _false_background(stretched, pair.foreground) + EPSILON)
    return 2 * recall * precision / (recall + precision + EPSILON)


def _missed_foreground(stretched: NDArray[Any], mask: NDArray[np.uint8]) -> float:
    """Error in the foreground, each pixel's smoothed over its neighbours where that lessens it."""
    window = _around(mask)
    foreground = mask[window].view(np.bool_)
    error = 1 - stretched[window]
    spread = error * foreground
    behind, nearest = nearest_foreground(foreground)
    spread.reshape(-1)[behind] = error.reshape(-1)[nearest]
    smooth = cv2.sepFilter2D(spread, cv2.CV_32F, _KERNEL, _KERNEL, borderType=cv2.BORDER_CONSTANT)
    return cv2.sumElems(np.minimum(error, smooth) * foreground)[0]


def _false_background(stretched: NDArray[Any], mask: NDArray[np.uint8]) -> float:
    """Error in the background, weighing more the farther it is from the foreground."""
    background = 1 - mask
    if not background.any():
        return 0.0
    distance_px = cv2.distanceTransform(background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squares are whole numbers; the last digit of OpenCV's roots depends on where in memory the image lies.
    distance_px = np.sqrt(np.rint(np.square(distance_px)))
    importance = 2 - np.exp(distance_px * _LOG_DECAY_PER_PX)
    return cv2.sumElems(stretched * importance * background)[0]


def _around(foreground: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Window that holds the foreground and all that smoothing reads around it."""
    left, top, width, height = cv2.boundingRect(foreground)
    rows = slice(max(top - REACH_PX, 0), top + height + REACH_PX)
    return rows, slice(max(left - REACH_PX, 0), left + width + REACH_PX)


def nearest_foreground(foreground: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the nearest foreground of every background pixel within reach of the smoothing window.

    Of several at one distance the leftmost counts, and the uppermost of those, as with the distance transform
    of scipy that PySODMetrics asks. Each step (down, right) has a code that sorts by squared length, then
    right, then down; the least code over the foreground is found along columns first, along rows then.

    Args:
        foreground: (H, W) bool.

    Returns:
        Flat indices of the background pixels, and flat indices of the nearest foreground of each.
    """
    height, width = foreground.shape
    padded = np.full((height + 2 * OFFSET_PX, width + 2 * OFFSET_PX), _FAR, np.uint16)
    padded[OFFSET_PX:-OFFSET_PX, OFFSET_PX:-OFFSET_PX][foreground] = 0
    along_columns = np.full((height, width + 2 * OFFSET_PX), _FAR, np.uint16)
    codes = np.full((height, width), 2 * _FAR, np.uint16)
    for step in range(_STEPS):
        length = (step - OFFSET_PX) ** 2 * _STEPS**2
        np.minimum(along_columns, padded[step : step + height] + np.uint16(length + step), out=along_columns)
    for step in range(_STEPS):
        code = np.uint16((step - OFFSET_PX) ** 2 * _STEPS**2 + step * _STEPS)
        np.minimum(codes, along_columns[:, step : step + width] + code, out=codes)
    in_reach = codes < (2 * REACH_PX**2 + 1) * _STEPS**2
    behind = np.flatnonzero(in_reach & ~foreground)
    steps = codes.reshape(-1)[behind].astype(np.intp) % _STEPS**2
    right, down = steps // _STEPS - OFFSET_PX, steps % _STEPS - OFFSET_PX
    return behind, behind + down * width + right
