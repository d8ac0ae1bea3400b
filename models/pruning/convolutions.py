"""How each of CSNet's convolutions loses channels, and what constant channels become in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.octave import WEIGHT_GAIN, DepthwiseConv, DilatedConvs, OctaveConv
from models.pruning.selection import Mask


@dataclass(frozen=True)
class Layer:
    """What comes out of a layer of the whole network.

    Attributes:
        kept: which channels the pruned network has.
        constants: of each branch, (C,): what each channel that goes puts out, 0 for those that stay. Exact
            inside a map; near its border the convolutions that pad saw zeros beyond it.
    """

    kept: Mask
    constants: list[Tensor]


def copy_kernels(conv: nn.Module, smaller: nn.Module, arriving: Mask, leaving: Mask) -> None:
    """Copy the kernels between channels that stay.

    Args:
        conv: of the whole network.
        smaller: the same, with the channels that stay.
        arriving: which input channels stay.
        leaving: which output channels stay.
    """
    if isinstance(conv, OctaveConv) and isinstance(smaller, OctaveConv):
        smaller.weight.copy_(conv.weight[torch.cat(leaving)][:, torch.cat(arriving)])
    elif isinstance(conv, DepthwiseConv) and isinstance(smaller, DepthwiseConv):
        smaller.weight.copy_(conv.weight[torch.cat(leaving)])
    elif isinstance(conv, DilatedConvs) and isinstance(smaller, DilatedConvs):
        for scale, weight in smaller.weights.items():
            branch = int(scale)
            weight.copy_(conv.weights[scale][leaving[branch]][:, arriving[branch]])
    else:
        raise NetworkError(f"cannot prune {type(conv).__name__} to {type(smaller).__name__}")


def shifts_of(conv: nn.Module, constants: Sequence[Tensor]) -> list[Tensor]:
    """Return, of each output branch, (C,): what input channels of constant value add inside a map."""
    if isinstance(conv, OctaveConv):
        total = conv.weight.sum(dim=(2, 3)) @ torch.cat(list(constants))
        return list(torch.split(total, list(conv.out_split)))
    if isinstance(conv, DepthwiseConv):
        # A channel that goes feeds none that stays.
        return [torch.zeros_like(constant) for constant in constants]
    kernels = cast("DilatedConvs", conv).weights
    return [
        kernels[str(scale)].sum(dim=(2, 3)) @ constant * WEIGHT_GAIN
        if str(scale) in kernels
        else torch.zeros(0, device=constant.device)
        for scale, constant in enumerate(constants)
    ]


def through_depthwise(conv: nn.Module, constants: Sequence[Tensor]) -> list[Tensor]:
    """Return what a depthwise convolution makes of constant channels inside a map."""
    kernels = cast("DepthwiseConv", conv).weight.sum(dim=(1, 2, 3)) * WEIGHT_GAIN
    splits = torch.split(kernels, [len(constant) for constant in constants])
    return [constant * kernel for constant, kernel in zip(constants, splits, strict=True)]
