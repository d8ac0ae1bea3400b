"""What a network costs: parameters and multiply-accumulates, counted on it without computing anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.networks.build import NETWORKS, build
from models.networks.outputs import SaliencyNetwork

FLOPS_PER_MAC = 2
"""torch counts a multiplication and an addition."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters, and multiply-accumulates for one square image of a given size."""

    parameters: int
    macs: int


def cost(name: str, size: int | None = None, **knobs: object) -> Cost:
    """Count parameters and the multiply-accumulates of convolutions, linear layers and matrix products.

    Args:
        size: side of the image in pixels; None for the network's native size.
    """
    return _counted(name, size, tuple(sorted(knobs.items())))


def count_parameters(name: str, **knobs: object) -> int:
    """Parameters of a network by its name; arguments as of `build`."""
    return parameters_of(_without_memory(name, **knobs))


def parameters_of(module: nn.Module) -> int:
    """Parameters of a network or a part of one, without the running statistics of its normalisation."""
    return sum(parameter.numel() for parameter in module.parameters())


@cache
def _counted(name: str, size: int | None, knobs: tuple[tuple[str, object], ...]) -> Cost:
    """Counting takes a second, and says the same each time."""
    network = _without_memory(name, **dict(knobs))
    return Cost(parameters_of(network), _macs(network, size or NETWORKS[name].native_size))


def _without_memory(name: str, **knobs: object) -> SaliencyNetwork:
    with torch.device("meta"):
        return build(name, **knobs).eval()  # type: ignore[arg-type]


def _macs(network: SaliencyNetwork, side: int) -> int:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, network.in_channels, side, side))
    return int(counter.get_total_flops()) // FLOPS_PER_MAC
