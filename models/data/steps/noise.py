"""The two noise protocols: random Gaussian, and salt and pepper.

CAT-EDNet trains and tests with both at "different levels" and names none; three of each are fixed here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Step, TrainingPair

Share = Annotated[float, Field(gt=0, le=1)]


class GaussianNoise(Step):
    """Independent normal noise on every pixel, rounded and clipped as an 8-bit camera would.

    Attributes:
        sigma: standard deviation, as a share of full scale (255).
    """

    kind: Literal["gaussian-noise"] = "gaussian-noise"
    sigma: Share = 0.1

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        noise = generator.standard_normal(pair.image.shape, dtype=np.float32)
        noisy = np.rint(pair.image + np.float32(self.sigma * 255) * noise)
        return TrainingPair(np.clip(noisy, 0, 255), pair.mask)


class SaltAndPepper(Step):
    """Black and white pixels, each as likely as the other, in as many places as the share says.

    Attributes:
        share: of all pixels.
    """

    kind: Literal["salt-and-pepper"] = "salt-and-pepper"
    share: Share = 0.1

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        noisy = pair.image.flatten()
        places = generator.permutation(noisy.size)[: round(self.share * noisy.size)]
        noisy[places] = 255 * generator.integers(2, size=places.size)
        return TrainingPair(noisy.reshape(pair.image.shape), pair.mask)


Noise = GaussianNoise | SaltAndPepper

NOISE_PROTOCOLS: tuple[Noise, ...] = (
    *(GaussianNoise(sigma=sigma) for sigma in (0.05, 0.1, 0.2)),
    *(SaltAndPepper(share=share) for share in (0.05, 0.1, 0.2)),
)
