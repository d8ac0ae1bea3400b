"""The images that a set of maps gets most wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.pairs import Pair
from models.metrics import ImageScores
from models.metrics.pair import FOUND_OVER, MASK_OVER

WORST = 10


@dataclass(frozen=True, slots=True)
class WorstImage:
    """One image with its figures.

    Attributes:
        false_positive_px: pixels found and not masked.
        false_negative_px: pixels masked and not found.
    """

    pair: Pair
    scores: ImageScores
    false_positive_px: int
    false_negative_px: int


class WorstImages:
    """Keeps the images of lowest IoU; an image without a wrong pixel is none of them."""

    def __init__(self) -> None:
        self._kept: list[WorstImage] = []

    def add(
        self, pair: Pair, prediction: NDArray[np.uint8], mask: NDArray[np.uint8], scores: ImageScores
    ) -> None:
        """Keep an image if it is one of the worst so far.

        Args:
            prediction: (H, W) saliency map.
            mask: (H, W).
        """
        false_positives, false_negatives = wrong_pixels(prediction, mask)
        image = WorstImage(pair, scores, int(false_positives.sum()), int(false_negatives.sum()))
        if image.false_positive_px or image.false_negative_px:
            self._kept = sorted([*self._kept, image], key=_badness)[:WORST]

    def ranked(self) -> tuple[WorstImage, ...]:
        """The images kept, worst first."""
        return tuple(self._kept)


def wrong_pixels(
    prediction: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a map finds what the mask has not, and where it does not find what the mask has, both (H, W)."""
    found, masked = prediction > FOUND_OVER, mask > MASK_OVER
    return found & ~masked, masked & ~found


def _badness(image: WorstImage) -> tuple[float, int, str]:
    return image.scores.iou, -(image.false_positive_px + image.false_negative_px), image.pair.stem
