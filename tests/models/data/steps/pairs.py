"""Pairs that show what a step did to them."""

from __future__ import annotations

import numpy as np

from models.data.steps import TrainingPair


def numbered_pair(height: int, width: int) -> TrainingPair:
    """Every pixel has a level of its own (up to 256 of them); the mask marks the brighter half."""
    image = np.linspace(0, 255, height * width, dtype=np.float32).reshape(height, width)
    return TrainingPair(image, (image > 127).astype(np.float32))
