"""Steps that change grey levels and leave the mask."""

from __future__ import annotations

from typing import Literal, Self

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field, model_validator

from models.data.steps.step import Probability, Step, TrainingPair


class ContrastBrightness(Step):
    """Grey levels times a factor plus whole levels, clipped to 0 to 255.

    Both papers draw the factor from 0.5 to 1.5; PFANet adds -20 to 19 levels, KD-SCFNet -15 to 14.
    """

    kind: Literal["contrast-brightness"] = "contrast-brightness"
    min_contrast: float = Field(default=0.5, ge=0)
    max_contrast: float = Field(default=1.5, ge=0)
    min_brightness: int = Field(default=-20, ge=-255, le=255)
    max_brightness: int = Field(default=19, ge=-255, le=255)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for kind, least, most in (
            ("contrast", self.min_contrast, self.max_contrast),
            ("brightness", self.min_brightness, self.max_brightness),
        ):
            if least > most:
                raise ValueError(f"expected min_{kind} up to max_{kind}, got {least} and {most}")
        return self

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        contrast = generator.uniform(self.min_contrast, self.max_contrast)
        brightness = int(generator.integers(self.min_brightness, self.max_brightness + 1))
        lit = np.clip(pair.image * np.float32(contrast) + np.float32(brightness), 0, 255)
        return TrainingPair(lit, pair.mask)


class LightGradient(Step):
    """Light that falls off across the image, clipped to 0 to 255.

    Attributes:
        probability: of any gradient.
        max_strength: largest change at the border against the middle; line lamps fall off by about 0.3.
    """

    kind: Literal["light-gradient"] = "light-gradient"
    probability: Probability = 0.5
    max_strength: float = Field(default=0.3, ge=0, lt=1)

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability:
            return pair
        angle, strength = generator.uniform(0, 2 * np.pi), generator.uniform(0, self.max_strength)
        rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in pair.image.shape)
        slope = np.sin(angle) * rows[:, None] + np.cos(angle) * columns[None, :]
        lit = np.clip(pair.image * (1 + strength * slope), 0, 255)
        return TrainingPair(lit.astype(np.float32), pair.mask)


class GaussianBlur(Step):
    """KD-SCFNet's blur: one image in ten, with an odd kernel of 3 to 9 px.

    Attributes:
        probability: of any blur.
        kernels_px: odd, each as likely as another; the width of the bell follows the kernel as in OpenCV.
    """

    kind: Literal["gaussian-blur"] = "gaussian-blur"
    probability: Probability = 0.1
    kernels_px: tuple[int, ...] = Field(default=(3, 5, 7, 9), min_length=1)

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if any(kernel < 1 or kernel % 2 == 0 for kernel in self.kernels_px):
            raise ValueError(f"kernels must be odd, got {self.kernels_px}")
        return self

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability:
            return pair
        kernel = self.kernels_px[int(generator.integers(len(self.kernels_px)))]
        blurred = cv2.GaussianBlur(np.ascontiguousarray(pair.image), (kernel, kernel), 0)
        return TrainingPair(np.asarray(blurred, np.float32), pair.mask)
