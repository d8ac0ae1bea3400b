"""Steps that cut something off."""

from __future__ import annotations

from typing import Annotated, Literal

from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Pixels, Step, TrainingPair
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


def _window(pair: TrainingPair, top: int, left: int, height: int, width: int) -> TrainingPair:
    rows, columns = slice(top, top + height), slice(left, left + width)
    return TrainingPair(pair.image[rows, columns], pair.mask[rows, columns])
