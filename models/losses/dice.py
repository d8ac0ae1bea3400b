"""Dice loss, of masks and of a teacher's soft maps, as in KD-SCFNet.

Source: Zhang et al., "KD-SCFNet: Towards More Accurate and Efficient Salient Object Detection via Knowledge
Distillation" (2022), loss functions.
"""

from __future__ import annotations

from torch import Tensor

SMOOTHING = 1.0
"""Added above and below the fraction: an empty map of an empty mask costs nothing instead of 0/0."""

SCFNET_MAP_WEIGHTS = (1.0, 1 / 2, 1 / 4, 1 / 8)
"""Of m2, m3, m4 and m5."""


def dice_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return the batch mean of 1 - Dice coefficient of (N, 1, H, W) maps; targets may be soft."""
    intersection = (probabilities * targets).sum(dim=(1, 2, 3))
    total = probabilities.sum(dim=(1, 2, 3)) + targets.sum(dim=(1, 2, 3))
    return (1 - (2 * intersection + SMOOTHING) / (total + SMOOTHING)).mean()
