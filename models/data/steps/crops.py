"""Steps that cut something off."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field, model_validator

from models.data.steps.step import Pixels, Plane, Step, TrainingPair
from models.errors import DatasetError


class RandomCrop(Step):
    """A square of fixed size from anywhere.

    EDRNet, CAT-EDNet and BASNet cut 224 px out of 256, U2-Net 288 px out of 320. As in their code the last
    possible position is never drawn: offsets are 0 to 31 of 32.

    Attributes:
        size_px: side of the square.
    """

    kind: Literal["random-crop"] = "random-crop"
    size_px: Pixels = 224

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        height, width = pair.image.shape
        if min(height, width) < self.size_px:
            raise DatasetError(f"expected images of at least {self.size_px} px a side, got {height}x{width}")
        top, left = (int(generator.integers(max(1, side - self.size_px))) for side in (height, width))
        return _window(pair, top, left, self.size_px, self.size_px)


class ShareCrop(Step):
    """A random share less of height and of width, cut off at random between the two ends.

    PFANet and KD-SCFNet remove less than an eighth.

    Attributes:
        max_share: bound of what is removed, not reached.
    """

    kind: Literal["share-crop"] = "share-crop"
    max_share: Annotated[float, Field(gt=0, lt=1)] = 1 / 8

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        (top, height), (left, width) = (self._kept(side, generator) for side in pair.image.shape)
        return _window(pair, top, left, height, width)

    def _kept(self, side: int, generator: Generator) -> tuple[int, int]:
        removed = int(generator.integers(max(1, int(side * self.max_share))))
        return int(generator.integers(removed + 1)), side - removed


class EdgeCrop(Step):
    """A few pixels off each of the four edges, each drawn on its own.

    CSNet cuts 0 to 14 px.

    Attributes:
        max_px: most that one edge loses.
    """

    kind: Literal["edge-crop"] = "edge-crop"
    max_px: Pixels = 14

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        (top, height), (left, width) = (self._kept(side, generator) for side in pair.image.shape)
        return _window(pair, top, left, height, width)

    def _kept(self, side: int, generator: Generator) -> tuple[int, int]:
        bound = min(self.max_px, (side - 1) // 2)
        start, end = (int(cut) for cut in generator.integers(bound + 1, size=2))
        return start, side - start - end


class ZoomCrop(Step):
    """A rectangle from anywhere, enlarged or shrunk to a square: scale and stretch in one.

    Bilinear as in use; the mask comes out soft, so that a thin scratch keeps its width on average.

    Attributes:
        size_px: side of what comes out.
        min_zoom: smallest scale of what comes out against the image; a crop never exceeds the image.
        max_zoom: largest such scale.
        max_aspect: largest ratio of the two scales; stronger stretch turns patches into scratches.
    """

    kind: Literal["zoom-crop"] = "zoom-crop"
    size_px: Pixels = 224
    min_zoom: float = Field(default=1.0, gt=0)
    max_zoom: float = Field(default=1.6, gt=0)
    max_aspect: float = Field(default=1.25, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_zoom > self.max_zoom:
            raise ValueError(f"min_zoom {self.min_zoom:g} is above max_zoom {self.max_zoom:g}")
        return self

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        zoom = np.exp(generator.uniform(np.log(self.min_zoom), np.log(self.max_zoom)))
        stretch = np.exp(generator.uniform(-np.log(self.max_aspect), np.log(self.max_aspect)) / 2)
        height, width = (
            min(side, max(1, round(self.size_px / zoom * factor)))
            for side, factor in zip(pair.image.shape, (stretch, 1 / stretch), strict=True)
        )
        top, left = (
            int(generator.integers(side - kept + 1))
            for side, kept in zip(pair.image.shape, (height, width), strict=True)
        )
        window = _window(pair, top, left, height, width)
        return TrainingPair(*(self._resized(plane) for plane in window))

    def _resized(self, plane: Plane) -> Plane:
        # OpenCV takes no views with steps of their own, which earlier steps may have left.
        whole = np.ascontiguousarray(plane)
        method = cv2.INTER_AREA if min(plane.shape) > self.size_px else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(whole, (self.size_px, self.size_px), interpolation=method), np.float32)


def _window(pair: TrainingPair, top: int, left: int, height: int, width: int) -> TrainingPair:
    rows, columns = slice(top, top + height), slice(left, left + width)
    return TrainingPair(pair.image[rows, columns], pair.mask[rows, columns])
