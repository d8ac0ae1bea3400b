"""One saliency map and its mask, checked, with what more than one metric needs of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import EvaluationError

MASK_OVER = 128
"""A mask's pixel is foreground where it is over this: PySODMetrics' level, whose figures are matched."""

FOUND_OVER = 127
"""A map as it is finds a pixel where it is over this: saliency of one half and more."""

EPSILON = float(np.spacing(1))
"""What PySODMetrics adds to a denominator: its figures of the smallest images depend on it."""


class Pair:
    """A saliency map beside its mask.

    Args:
        prediction: (H, W) uint8 saliency.
        mask: (H, W) uint8; over 128 is foreground.

    Attributes:
        prediction: the map as it is, (H, W) uint8.
        foreground: the mask, (H, W) uint8 of 0 and 1.
        foreground_px: pixels of the foreground.
        background_px: all other pixels.
        table: (256,) float64, each level's stretched value in [0, 1], ascending.
        stretched: the map stretched to its own range, (H, W) float64; a constant map stays as it is.

    Raises:
        EvaluationError: another shape or dtype, sizes that differ, or no pixel at all.
    """

    def __init__(self, prediction: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        _check(prediction, "map")
        _check(mask, "mask")
        if prediction.shape != mask.shape:
            raise EvaluationError(
                f"expected a map of the mask's size {mask.shape}, got a map of {prediction.shape}"
            )
        self.prediction = np.ascontiguousarray(prediction)
        self.foreground = (np.ascontiguousarray(mask) > MASK_OVER).view(np.uint8)
        self.foreground_px = int(cv2.countNonZero(self.foreground))
        self.background_px = self.prediction.size - self.foreground_px
        self.table = _stretching(int(prediction.min()), int(prediction.max()))
        self.stretched = np.asarray(cv2.LUT(self.prediction, self.table), np.float64)

    @property
    def adaptive_threshold(self) -> float:
        """Twice the mean of the stretched map, at most 1 (Achanta et al., CVPR 2009)."""
        return min(2 * float(self.stretched.mean()), 1.0)


def _check(pixels: NDArray[np.uint8], name: str) -> None:
    if not isinstance(pixels, np.ndarray):
        raise EvaluationError(f"expected a {name} (H, W) uint8, got {type(pixels).__name__}")
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise EvaluationError(f"expected a {name} (H, W) uint8, got {pixels.shape} {pixels.dtype}")
    if pixels.size == 0:
        raise EvaluationError(f"expected a {name} of at least one pixel, got {pixels.shape}")


def _stretching(lowest: int, highest: int) -> NDArray[np.float64]:
    values = np.arange(256) / 255
    if lowest == highest:
        return values
    low, high = values[lowest], values[highest]
    stretched: NDArray[np.float64] = np.clip((values - low) / (high - low), 0.0, 1.0)
    return stretched
