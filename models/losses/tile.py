"""One logit for a tile, and the loss that teaches it whether the tile shows a defect at all.

Ours, for the gate: between the largest answer, which follows noise, and the mean, which hides small defects.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

PEAK_PX = 64
"""Pixels whose logits make the tile's: as many as a defect of 4 mm has at 0.5 mm a pixel. One pixel alone
follows noise, more of them dilute the smallest defects."""

LEAST_DEFECT_PX = 24
"""Marked pixels from which a tile is to be let through, what inspection takes for a defect at the least.
Tiles with fewer, but some, teach nothing."""


def tile_logits(logits: Tensor) -> Tensor:
    """Return (N,) logits of tiles: the mean of the `PEAK_PX` largest of each (N, 1, H, W) map."""
    flat = logits.flatten(1)
    return flat.topk(min(PEAK_PX, flat.shape[1]), dim=1).values.mean(dim=1)


class TileLoss(nn.Module):
    """Binary cross entropy of each tile's one logit."""

    def forward(self, outputs: SaliencyOutputs, targets: Tensor) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1]."""
        marked = targets.sum(dim=(1, 2, 3))
        defective, clean = marked >= LEAST_DEFECT_PX, marked < 0.5
        return supervise(outputs, lambda logits: _of_map(logits, defective, clean))


def _of_map(logits: Tensor, defective: Tensor, clean: Tensor) -> Tensor:
    losses = functional.binary_cross_entropy_with_logits(
        tile_logits(logits), defective.to(logits.dtype), reduction="none"
    )
    return torch.where(defective | clean, losses, torch.zeros_like(losses)).mean()
