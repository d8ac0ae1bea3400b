"""Steps that mirror and rotate."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator

from models.data.steps.step import Pixels, Plane, Probability, TrainingPair, TurningStep


class HorizontalFlip(TurningStep):
    """Left for right in half of all cases: PFANet, KD-SCFNet; BASNet's doubled files come to the same."""

    kind: Literal["horizontal-flip"] = "horizontal-flip"
    probability: Probability = 0.5

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        return _mirrored(pair, axis=1) if generator.random() < self.probability else pair


class VerticalFlip(TurningStep):
    """Top for bottom: a fifth of all cases in KD-SCFNet, half in U2-Net."""

    kind: Literal["vertical-flip"] = "vertical-flip"
    probability: Probability = 0.2

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        return _mirrored(pair, axis=0) if generator.random() < self.probability else pair


class EitherFlip(TurningStep):
    """CSNet's flip: in half of all cases one of the two, each as often as the other, never both."""

    kind: Literal["either-flip"] = "either-flip"
    probability: Probability = 0.5

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability:
            return pair
        return _mirrored(pair, axis=int(generator.integers(2)))


class QuarterTurn(TurningStep):
    """One of the eight ways to lay a square on itself, each as likely as another."""

    kind: Literal["quarter-turn"] = "quarter-turn"

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        symmetry = int(generator.integers(8))
        turned = TrainingPair(*(np.rot90(plane, symmetry % 4) for plane in pair))
        return _mirrored(turned, axis=1) if symmetry >= 4 else turned


class Rotation(TurningStep):
    """PFANet's rotation about the centre by whole degrees, -25 to 24; corners come black and unmarked.

    The mask is read by the nearest pixel, so that it stays 0 or 1.

    Attributes:
        max_degrees: bound to both sides, not reached on the positive one.
    """

    kind: Literal["rotation"] = "rotation"
    max_degrees: Pixels = 25

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        degrees = int(generator.integers(-self.max_degrees, self.max_degrees))
        return TrainingPair(
            _rotated(pair.image, degrees, cv2.INTER_LINEAR), _rotated(pair.mask, degrees, cv2.INTER_NEAREST)
        )


def _mirrored(pair: TrainingPair, axis: int) -> TrainingPair:
    return TrainingPair(np.flip(pair.image, axis), np.flip(pair.mask, axis))


def _rotated(plane: Plane, degrees: int, method: int) -> Plane:
    height, width = plane.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    # OpenCV takes no views with steps of their own, which earlier steps may have left.
    whole = np.ascontiguousarray(plane)
    return np.asarray(cv2.warpAffine(whole, turn, (width, height), flags=method), np.float32)
