"""Chance by name: what is drawn depends on seed, epoch and sample alone, never on who draws it or when."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import Generator


class Draw(IntEnum):
    """What a stream of chance is for, so that no two purposes share one."""

    AUGMENTATION = 1
    ORDER = 2
    BATCH_SIZE = 3


def generator_of(draw: Draw, seed: int, epoch: int, index: int = 0) -> Generator:
    """Return the stream of one purpose, for one sample or batch of one epoch."""
    return np.random.default_rng([seed, epoch, index, draw])
