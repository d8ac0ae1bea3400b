"""Steps that set the size: resizing, and padding to a square."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Pixels, Plane, Step, TrainingPair

_INTERPOLATION = {"nearest": cv2.INTER_NEAREST_EXACT, "linear": cv2.INTER_LINEAR}


class Resize(Step):
    """Image, bilinearly, and mask to a square.

    EDRNet, CAT-EDNet, BASNet and PFANet take 256 px, U2-Net 320 px; CSNet takes 224 px and a soft mask.

    Attributes:
        size_px: side of the square.
        mask: "nearest" keeps it 0 or 1, "linear" makes it soft.
    """

    kind: Literal["resize"] = "resize"
    size_px: Pixels = 256
    mask: Literal["nearest", "linear"] = "nearest"

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:  # noqa: ARG002 - no chance in it
        return TrainingPair(self._resized(pair.image, "linear"), self._resized(pair.mask, self.mask))

    def _resized(self, plane: Plane, method: Literal["nearest", "linear"]) -> Plane:
        size = (self.size_px, self.size_px)
        return np.asarray(cv2.resize(plane, size, interpolation=_INTERPOLATION[method]), np.float32)


class PadToSquare(Step):
    """Padding of the shorter side, half at each end, with nothing marked.

    Attributes:
        grey_level: of the padding. PFANet pads with zeros after it has subtracted its mean: padding with that
            mean, 115, before normalisation comes within 11 levels of it.
    """

    kind: Literal["pad-to-square"] = "pad-to-square"
    grey_level: float = Field(default=0.0, ge=0, le=255)

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:  # noqa: ARG002 - no chance in it
        height, width = pair.image.shape
        side = max(height, width)
        margins = [((side - length) // 2, (side - length + 1) // 2) for length in (height, width)]
        return TrainingPair(
            np.pad(pair.image, margins, constant_values=self.grey_level), np.pad(pair.mask, margins)
        )
