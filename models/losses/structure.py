"""The structure loss: pixels near an outline count more, in cross entropy and in overlap.

Source: Wei et al., "F3Net: Fusion, Feedback and Focus for Salient Object Detection" (AAAI 2020), the pixel
position aware loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

WINDOW_PX = 31
"""Side of the window whose mean tells how near an outline is."""

GAMMA = 5.0
"""Weight of a pixel that differs wholly from its surroundings, beside the 1 that every pixel has."""

SMOOTHING = 1.0
"""Added above and below the fraction: an empty map of an empty mask costs nothing instead of 0/0."""


def outline_weights(targets: Tensor, window_px: int = WINDOW_PX, gamma: float = GAMMA) -> Tensor:
    """Return 1 + gamma * |mean of the window - target| of (N, 1, H, W) targets, 0 beyond the border."""
    height, width = targets.shape[-2:]
    means = _box(height, window_px, targets) @ targets @ _box(width, window_px, targets)
    return 1 + gamma * (means - targets).abs()


def structure_loss(logits: Tensor, targets: Tensor, weights: Tensor, *, bce: float, iou: float) -> Tensor:
    """Return the batch mean of weighted cross entropy and weighted overlap.

    Args:
        logits: (N, 1, H, W).
        targets: of that shape, 0 to 1.
        weights: of that shape, as `outline_weights` gives them.
        bce: weight of cross entropy.
        iou: weight of overlap.
    """
    dims = (1, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    entropy = (weights * entropy).sum(dim=dims) / weights.sum(dim=dims)
    probabilities = logits.sigmoid()
    intersection = (weights * probabilities * targets).sum(dim=dims)
    total = (weights * (probabilities + targets)).sum(dim=dims)
    overlap = 1 - (intersection + SMOOTHING) / (total - intersection + SMOOTHING)
    return (bce * entropy + iou * overlap).mean()


class StructureLoss(nn.Module):
    """The structure loss of all supervised maps.

    Args:
        bce: weight of weighted cross entropy.
        iou: weight of weighted overlap.
        gamma: weight of a pixel that differs wholly from its surroundings, beside the 1 that every pixel
            has; 0 leaves plain cross entropy and overlap, which here has a gradient where nothing is marked.
        map_weights: of every map, the final one first; without, every map counts 1.
    """

    def __init__(
        self,
        bce: float = 1.0,
        iou: float = 1.0,
        *,
        gamma: float = GAMMA,
        map_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.bce = bce
        self.iou = iou
        self.gamma = gamma
        self.map_weights = map_weights

    def forward(self, outputs: SaliencyOutputs, targets: Tensor) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1].

        Raises:
            TrainingError: another number of map weights than of maps.
        """
        weights = outline_weights(targets, gamma=self.gamma)

        def of_map(logits: Tensor) -> Tensor:
            return structure_loss(logits, targets, weights, bce=self.bce, iou=self.iou)

        return supervise(outputs, of_map, self.map_weights)


def _box(length: int, window_px: int, like: Tensor) -> Tensor:
    """The window's mean along one axis as a symmetric matrix: products take a fraction of pooling's time."""
    places = torch.arange(length, device=like.device)
    near = (places - places[:, None]).abs() <= window_px // 2
    return near.to(like.dtype) / window_px
