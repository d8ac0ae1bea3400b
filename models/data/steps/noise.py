"""The two noise protocols: random Gaussian, and salt and pepper.

CAT-EDNet trains and tests with both at "different levels" and names none; three of each are fixed here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from models.data.steps.step import Probability, Step, TrainingPair

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


class SomeNoise(Step):
    """Now and then one of the two protocols, at a level drawn anew each time: training for noise.

    Attributes:
        probability: of any noise.
        max_sigma: largest standard deviation of normal noise, as a share of full scale.
        max_share: largest share of black and white pixels.
    """

    kind: Literal["some-noise"] = "some-noise"
    probability: Probability = 0.25
    max_sigma: Share = 0.15
    max_share: Share = 0.15

    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        if generator.random() >= self.probability:
            return pair
        # 1 - random() is above 0, as a level must be.
        level = 1 - generator.random()
        protocols = (GaussianNoise(sigma=self.max_sigma * level), SaltAndPepper(share=self.max_share * level))
        return protocols[int(generator.integers(2))].apply(pair, generator)


NOISE_PROTOCOLS: tuple[Noise, ...] = (
    *(GaussianNoise(sigma=sigma) for sigma in (0.05, 0.1, 0.2)),
    *(SaltAndPepper(share=share) for share in (0.05, 0.1, 0.2)),
)
