"""A small CSNet that looks trained: scales, shifts and statistics of every normalisation differ."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from models.networks.csnet import CSNet, InLayerBlock
from models.networks.octave import NormalisedUnit
from models.pruning import reestimate


def trained(seed: int = 1, **knobs: Any) -> CSNet:
    """A network with scales from 0.5 to 1.5, in evaluation mode."""
    torch.manual_seed(seed)
    network = CSNet(**{"base_width": 8, **knobs})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    # With the statistics that a network begins with, the depthwise gain makes maps overflow.
    reestimate(network, [torch.randn(2, network.in_channels, 64, 64) for _ in range(2)])
    return network.eval()


def images(channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, 64, 64, generator=torch.Generator().manual_seed(3))


def norm_of(unit: nn.Module, branch: int) -> nn.BatchNorm2d:
    assert isinstance(unit, NormalisedUnit)
    norm = unit.norms[branch]
    assert isinstance(norm, nn.BatchNorm2d)
    return norm


def block_of(network: CSNet, stage: int, block: int) -> InLayerBlock:
    found = list(network.stages[stage].children())[block]
    assert isinstance(found, InLayerBlock)
    return found


@torch.no_grad()
def silence(unit: nn.Module, branch: int, channels: list[int], *, shift: float | None = None) -> None:
    """Set scales to zero, and shifts where one is given."""
    norm = norm_of(unit, branch)
    norm.weight[channels] = 0
    if shift is not None:
        norm.bias[channels] = shift
