"""Steps that give defects another shape or another place."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Pixels, Plane, Probability, Step, TrainingPair, TurningStep

PASTE_MARGIN_PX = 3
"""Around a pasted defect: masks are coarse, and a defect's rim lies partly outside."""

PASTE_BLEND_PX = 1.5
"""Standard deviation of the blend: a hard seam would be a feature to learn."""


class Elastic(Step):
    """A smooth random displacement of image and mask; what comes from beyond the border is mirrored.

    Attributes:
        probability: of any displacement.
        cells: of the coarse grid of random shifts along a side; fewer bend more gently.
        max_shift_px: largest shift of a grid point along either axis.
    """

    kind: Literal["elastic"] = "elastic"
    probability: Probability = 0.5
    cells: Pixels = 5
    max_shift_px: float = Field(default=8.0, gt=0)

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability:
            return pair
        height, width = pair.image.shape
        rows, columns = (
            place + cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
            for place, coarse in zip(
                np.mgrid[:height, :width].astype(np.float32),
                generator.uniform(-self.max_shift_px, self.max_shift_px, (2, self.cells, self.cells)),
                strict=True,
            )
        )
        return TrainingPair(*(_moved(plane, rows, columns) for plane in pair))


class CopyPaste(TurningStep):
    """The image's own defects once more: mirrored, shifted around the border and blended in.

    Taken from the same image, a copy has its light and its texture, and never turned, its rolling direction.

    Attributes:
        probability: of a copy.
        max_marked: largest marked share of the image; a fuller image has no room for copies.
    """

    kind: Literal["copy-paste"] = "copy-paste"
    probability: Probability = 0.25
    max_marked: Probability = 0.3

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability or not 0 < pair.mask.mean() <= self.max_marked:
            return pair
        donor = _relocated(pair, generator)
        core = cv2.dilate(donor.mask, np.ones((2 * PASTE_MARGIN_PX + 1,) * 2, np.uint8))
        share = cv2.GaussianBlur(core, (0, 0), PASTE_BLEND_PX)
        image = pair.image + share * (donor.image - pair.image)
        return TrainingPair(image.astype(np.float32), np.maximum(pair.mask, donor.mask))


def _relocated(pair: TrainingPair, generator: Generator) -> TrainingPair:
    shift = [int(generator.integers(side)) for side in pair.image.shape]
    axes = [axis for axis in (0, 1) if generator.random() < 0.5]
    return TrainingPair(*(np.roll(np.flip(plane, axes), shift, axis=(0, 1)) for plane in pair))


def _moved(plane: Plane, rows: Plane, columns: Plane) -> Plane:
    # OpenCV takes no views with steps of their own, which earlier steps may have left.
    whole = np.ascontiguousarray(plane)
    moved = cv2.remap(whole, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)
