"""Dice loss, and distillation from a teacher's maps by it, as in KD-SCFNet.

Source: Zhang et al., "KD-SCFNet: Towards More Accurate and Efficient Salient Object Detection via Knowledge
Distillation" (2022), loss functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

SMOOTHING = 1.0
"""Added above and below the fraction: an empty map of an empty mask costs nothing instead of 0/0."""

SCFNET_MAP_WEIGHTS = (1.0, 1 / 2, 1 / 4, 1 / 8)
"""Of m2, m3, m4 and m5."""


def dice_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return the batch mean of 1 - Dice coefficient of (N, 1, H, W) maps; targets may be soft."""
    intersection = (probabilities * targets).sum(dim=(1, 2, 3))
    total = probabilities.sum(dim=(1, 2, 3)) + targets.sum(dim=(1, 2, 3))
    return (1 - (2 * intersection + SMOOTHING) / (total + SMOOTHING)).mean()


class DistillationLoss(nn.Module):
    """Dice loss of every map of a student against the final map of its teacher, soft and at temperature 1.

    Args:
        map_weights: of the student's maps, the final one first.
    """

    def __init__(self, map_weights: Sequence[float] | None = SCFNET_MAP_WEIGHTS) -> None:
        super().__init__()
        self.map_weights = map_weights

    def forward(self, outputs: SaliencyOutputs, teacher: SaliencyOutputs) -> Tensor:
        """Return the scalar loss; the teacher saw the same images in evaluation mode and gets no gradient.

        Raises:
            TrainingError: another number of map weights than of the student's maps.
        """
        targets = teacher.final.detach().float().sigmoid()
        return supervise(outputs, lambda logits: dice_loss(logits.sigmoid(), targets), self.map_weights)
