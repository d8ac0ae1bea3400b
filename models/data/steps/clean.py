"""A step that shows clean steel, of which data sets of defects have no images."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Pixels, Plane, Probability, Step, TrainingPair

TRIES = 24
"""Rectangles drawn before an image is left as it is: some have no room for a clean one."""

MAX_MARGIN_PX = 1_024
"""Memory grows by its square, and a margin as wide as the image leaves nothing clean beside a mark."""


class CleanMirror(Step):
    """A rectangle without a defect, mirrored over its edges until it fills the image.

    Every image of SD-saliency-900 shows a defect, so a network that sees whole images alone learns that steel
    of that look is defective. Tiling mirrors a frame that is smaller than a tile in the same way.

    Attributes:
        probability: of a clean image.
        margin_px: kept from what is marked, since masks are coarse.
        min_px: least side of the rectangle.
    """

    kind: Literal["clean-mirror"] = "clean-mirror"
    probability: Probability = 0.3
    margin_px: Pixels = Field(default=8, le=MAX_MARGIN_PX)
    min_px: Pixels = Field(default=48)

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability or min(pair.image.shape) < self.min_px:
            return pair
        marked = cv2.dilate(
            (pair.mask > 0).astype(np.uint8), np.ones((2 * self.margin_px + 1,) * 2, np.uint8)
        )
        for _ in range(TRIES):
            rows, columns = (self._span(side, generator) for side in pair.image.shape)
            if not marked[rows, columns].any():
                return TrainingPair(_filled(pair.image, rows, columns), np.zeros_like(pair.mask))
        return pair

    def _span(self, side: int, generator: Generator) -> slice:
        length = int(generator.integers(self.min_px, side + 1))
        start = int(generator.integers(side - length + 1))
        return slice(start, start + length)


def _filled(image: Plane, rows: slice, columns: slice) -> Plane:
    height, width = image.shape
    margins = ((rows.start, height - rows.stop), (columns.start, width - columns.stop))
    return np.pad(image[rows, columns], margins, mode="symmetric")
