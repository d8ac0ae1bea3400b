"""PFANet's edge-hold loss: saliency, and the edges of saliency.

Source: Zhao and Wu, "Pyramid Feature Attention Network for Saliency Detection" (CVPR 2019), section 3.4, and
its code where the two differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

SALIENCY_SHARE = 0.7
POSITIVE_WEIGHT = 1.12
"""0.528 / 0.472: the paper's weight of foreground against background."""

LAPLACIAN = ((-1.0, -1.0, -1.0), (-1.0, 8.0, -1.0), (-1.0, -1.0, -1.0))

CLIPPING = 1e-7
"""Predicted edges stay this far from 0 and 1, as in Keras: without, one lost edge pixel costs up to 100."""


def edges(maps: Tensor) -> Tensor:
    """Return the edges, 0 to 1, of (N, 1, H, W) maps: ReLU(tanh(Laplacian)).

    The code's reading; the paper writes the absolute value, which would count both sides of an edge. Zeros
    beyond the border make an edge where foreground touches it.
    """
    kernel = torch.tensor(LAPLACIAN, dtype=maps.dtype, device=maps.device).view(1, 1, 3, 3)
    return functional.conv2d(maps, kernel, padding=1).tanh().relu()


def edge_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return the mean binary cross entropy between the edges of (N, 1, H, W) maps."""
    found = edges(probabilities).clamp(CLIPPING, 1 - CLIPPING)
    return functional.binary_cross_entropy(found, edges(targets))


def weighted_bce_loss(logits: Tensor, targets: Tensor, positive_weight: float = POSITIVE_WEIGHT) -> Tensor:
    """Return the mean binary cross entropy of (N, 1, H, W) logits with foreground weighted."""
    weight = torch.tensor(positive_weight, dtype=logits.dtype, device=logits.device)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)


class EdgeHoldLoss(nn.Module):
    """Saliency and edge terms in given shares, summed over all supervised maps (PFANet has one).

    Args:
        saliency_share: of the saliency term, the edge term taking the rest; the paper's alpha, 1 in its first
            stage of training and 0.7 in its second, 0.7 throughout in its code.
        positive_weight: of foreground in the saliency term.
    """

    def __init__(
        self, saliency_share: float = SALIENCY_SHARE, positive_weight: float = POSITIVE_WEIGHT
    ) -> None:
        super().__init__()
        self.saliency_share = saliency_share
        self.positive_weight = positive_weight

    def forward(self, outputs: SaliencyOutputs, targets: Tensor) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1]."""
        return supervise(outputs, lambda logits: self._of_map(logits, targets))

    def _of_map(self, logits: Tensor, targets: Tensor) -> Tensor:
        saliency = weighted_bce_loss(logits, targets, self.positive_weight)
        edge = edge_loss(logits.sigmoid(), targets)
        return self.saliency_share * saliency + (1 - self.saliency_share) * edge
