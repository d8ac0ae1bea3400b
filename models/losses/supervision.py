"""Deep supervision: one loss on every supervised map, each map with its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.errors import TrainingError
from models.networks.outputs import SaliencyOutputs


def supervise(
    outputs: SaliencyOutputs,
    loss_of_map: Callable[[Tensor], Tensor],
    map_weights: Sequence[float] | None = None,
) -> Tensor:
    """Return the weighted sum of a loss over all supervised maps.

    Args:
        outputs: logits of a network; losses see them in float32 or finer.
        loss_of_map: from (N, 1, H, W) logits to a scalar.
        map_weights: of each map, the final one first; without, every map counts 1. A map of weight 0 costs
            no time.

    Raises:
        TrainingError: another number of weights than of maps.
    """
    maps = outputs.maps
    weights = [1.0] * len(maps) if map_weights is None else map_weights
    if len(weights) != len(maps):
        raise TrainingError(f"expected a weight for each of {len(maps)} maps, got {len(weights)}")
    losses = [
        weight * loss_of_map(_at_least_float32(logits))
        for weight, logits in zip(weights, maps, strict=True)
        if weight
    ]
    return torch.stack(losses).sum()


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
