"""Boundary Dice of KD-SCFNet: overlap of outlines that are thick early in training and thin late.

Source: Zhang et al., "KD-SCFNet: Towards More Accurate and Efficient Salient Object Detection via Knowledge
Distillation" (2022), progressive boundary supervision (PBSM), and its code where the two differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from models.losses.dice import SCFNET_MAP_WEIGHTS, dice_loss
from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

FIRST_THICKNESS_PX = 13
EPOCHS_PER_THICKNESS = 10


def boundary_thickness(epoch: int) -> int:
    """Return the width in pixels, odd, of the max-pooling that thickens outlines in an epoch counted from 0.

    The code's reading: 13 px for epochs 0 to 8, 2 px less every ten epochs, 1 px from epoch 59. The paper's
    first ten epochs and last nine of 69 are off by one.
    """
    return max(1, FIRST_THICKNESS_PX - 2 * ((epoch + 1) // EPOCHS_PER_THICKNESS))


def boundary(maps: Tensor, thickness_px: int) -> Tensor:
    """Return the inner outline of (N, 1, H, W) maps: a map less its 3x3 erosion, thickened by max-pooling.

    Where an object leaves the image there is no outline.

    Args:
        maps: 0 to 1, soft or not.
        thickness_px: width of the pooling, odd; 1 leaves the outline 1 px thin.
    """
    background = 1 - maps
    thin = functional.max_pool2d(background, 3, stride=1, padding=1) - background
    return functional.max_pool2d(thin, thickness_px, stride=1, padding=(thickness_px - 1) // 2)


def boundary_dice_loss(probabilities: Tensor, targets: Tensor, thickness_px: int) -> Tensor:
    """Return the Dice loss between the outlines of (N, 1, H, W) maps."""
    return dice_loss(boundary(probabilities, thickness_px), boundary(targets, thickness_px))


class ScfnetLoss(nn.Module):
    """KD-SCFNet's supervised loss: Dice plus boundary Dice on every map.

    Args:
        boundary_weight: of boundary Dice against Dice.
        map_weights: of m2 to m5, the final map m2 first.

    Attributes:
        thickness_px: of the outlines now; `set_epoch` sets it.
    """

    def __init__(
        self, boundary_weight: float = 1.0, map_weights: Sequence[float] | None = SCFNET_MAP_WEIGHTS
    ) -> None:
        super().__init__()
        self.boundary_weight = boundary_weight
        self.map_weights = map_weights
        self.thickness_px = boundary_thickness(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the outline thickness of an epoch, counted from 0."""
        self.thickness_px = boundary_thickness(epoch)

    def forward(self, outputs: SaliencyOutputs, targets: Tensor) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1].

        Raises:
            TrainingError: another number of map weights than of maps.
        """
        return supervise(outputs, lambda logits: self._of_map(logits, targets), self.map_weights)

    def _of_map(self, logits: Tensor, targets: Tensor) -> Tensor:
        probabilities = logits.sigmoid()
        outline = boundary_dice_loss(probabilities, targets, self.thickness_px)
        return dice_loss(probabilities, targets) + self.boundary_weight * outline
