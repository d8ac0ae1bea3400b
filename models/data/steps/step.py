"""What one step of augmentation is: settings that a recipe can hold, and one verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from models.data.folders import Sample

Plane = NDArray[np.float32]
Probability = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(gt=0)]


class TrainingPair(NamedTuple):
    """An image with its mask on the way through augmentation.

    Attributes:
        image: (H, W) float32, 0 to 255.
        mask: (H, W) float32, 0 to 1; soft where a step made it so.
    """

    image: Plane
    mask: Plane

    @classmethod
    def of(cls, sample: Sample) -> TrainingPair:
        """The pair that a sample begins as."""
        return cls(sample.image.astype(np.float32), sample.mask.astype(np.float32) / np.float32(255))


class Step(BaseModel, ABC):
    """One step; its defaults are those of the paper that it names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @abstractmethod
    def apply(self, pair: TrainingPair, generator: Generator) -> TrainingPair:
        """Return a changed copy of a pair; the generator is the only source of chance."""


class TurningStep(Step, ABC):
    """A step that turns or mirrors what is marked: behind it, nothing is sure to lie as it lay."""
