"""What a network costs: parameters and multiply-accumulates, counted on it without computing anything."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.networks.build import NETWORKS, build

FLOPS_PER_MAC = 2
"""torch counts a multiplication and an addition."""


def count_parameters(name: str, **knobs: object) -> int:
    """Parameters of a network, without the running statistics of its normalisation."""
    with torch.device("meta"):
        network = build(name, **knobs)  # type: ignore[arg-type]
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(name: str, size: int | None = None, **knobs: object) -> int:
    """Multiply-accumulates of convolutions, linear layers and matrix products for one square image.

    Args:
        size: side of the image in pixels; None for the network's native size.
    """
    side = size or NETWORKS[name].native_size
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = build(name, **knobs).eval()  # type: ignore[arg-type]
        network(torch.empty(1, network.in_channels, side, side))
    return int(counter.get_total_flops()) // FLOPS_PER_MAC
