"""Chance by name: what is drawn depends on seed, time and sample alone, never on who draws it or when."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import Generator


class Draw(IntEnum):
    """What a stream of chance is for, so that no two purposes share one."""

    ORDER = 2
    BATCH_SIZE = 3
    DROPOUT = 4


def generator_of(draw: Draw, seed: int, time: int, index: int = 0) -> Generator:
    """Return the stream of one purpose, for one sample, batch or process at one step or epoch."""
    return np.random.default_rng([seed, time, index, draw])
