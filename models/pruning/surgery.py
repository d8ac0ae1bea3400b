"""A CSNet without the channels that training has silenced, which computes what the whole one did.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), section 4.
The paper's code loses the running statistics and what silenced channels put out; both are kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.csnet import CrossStageHead, CSNet, InLayerBlock
from models.networks.csnet_channels import HEAD_STAGES
from models.networks.octave import NormalisedUnit
from models.pruning.convolutions import Layer, copy_kernels, shifts_of, through_depthwise
from models.pruning.selection import KeptChannels, Mask, no_channels, scales_of, select, units_of


@torch.no_grad()
def prune(network: CSNet, threshold: float) -> CSNet:
    """Return a smaller network with the channels whose scales reach a threshold.

    A channel of scale zero still puts out a constant, by its shift. The layers behind it get that constant
    by the means of their normalisations instead.

    Args:
        network: trained; stays as it is.
        threshold: least absolute scale that stays.
    """
    device = network.head.classify.weight.device
    kept = select(network, threshold)
    pruned = CSNet(in_channels=network.in_channels, channels=kept.channels, stem_stride=network.stem_stride)
    pruned = pruned.to(device)
    image = torch.ones(network.in_channels, dtype=torch.bool, device=device)
    layer = Layer([image], [torch.zeros_like(image, dtype=torch.float32)])
    scales: list[Layer] = []
    for index, (stage, masks) in enumerate(zip(network.stages, kept.stages, strict=True)):
        for block, smaller, mask in zip(
            stage.children(), pruned.stages[index].children(), masks, strict=True
        ):
            layer = _prune_block(
                cast("InLayerBlock", block), cast("InLayerBlock", smaller), layer, mask, threshold
            )
        if index in HEAD_STAGES:
            scales.append(layer)
    arriving = Layer([one.kept[0] for one in scales], [one.constants[0] for one in scales])
    _prune_head(network.head, pruned.head, arriving, kept)
    return pruned.train(network.training)


def _prune_block(
    block: InLayerBlock, smaller: InLayerBlock, arriving: Layer, mask: Mask, threshold: float
) -> Layer:
    octave, *depthwise = units_of(block.units)
    smaller_octave, *smaller_depthwise = units_of(smaller.units)
    layer = _prune_unit(octave, smaller_octave, arriving, mask)
    silenced = _silenced(octave, threshold)
    for unit, smaller_unit in zip(depthwise, smaller_depthwise, strict=True):
        passed = _after_norms(unit, through_depthwise(unit.conv, layer.constants))
        resting = _prune_unit(unit, smaller_unit, layer, mask)
        # Only behind the first small scale is a channel constant; until then any constant will do.
        constants = map(torch.where, silenced, passed, resting.constants)
        layer = _layer(mask, constants)
        silenced = list(map(torch.logical_or, silenced, _silenced(unit, threshold)))
    return layer


def _prune_head(head: CrossStageHead, smaller: CrossStageHead, arriving: Layer, kept: KeptChannels) -> None:
    units, smaller_units = units_of(head.fuse), units_of(smaller.fuse)
    for unit, smaller_unit, mask in zip(
        units, smaller_units, (kept.head, kept.dilated, kept.fused), strict=True
    ):
        arriving = _prune_unit(unit, smaller_unit, arriving, mask)
    (fused,), (constant,) = arriving.kept, arriving.constants
    weight = head.classify.weight
    smaller.classify.weight.copy_(weight[:, fused])
    bias, smaller_bias = cast("Tensor", head.classify.bias), cast("Tensor", smaller.classify.bias)
    smaller_bias.copy_(bias + weight.flatten(1) @ constant)


def _prune_unit(unit: NormalisedUnit, smaller: NormalisedUnit, arriving: Layer, mask: Mask) -> Layer:
    """Fill the smaller unit; return what leaves the whole one, each channel that goes at its shift."""
    copy_kernels(unit.conv, smaller.conv, arriving.kept, mask)
    shifts = shifts_of(unit.conv, arriving.constants)
    for branch, kept in enumerate(mask):
        norm, smaller_norm = unit.norms[branch], smaller.norms[branch]
        if not (isinstance(norm, nn.BatchNorm2d) and isinstance(smaller_norm, nn.BatchNorm2d)):
            continue
        for name, tensor in smaller_norm.state_dict().items():
            whole = norm.state_dict()[name]
            tensor.copy_(whole[kept] if whole.ndim else whole)
        cast("Tensor", smaller_norm.running_mean).sub_(shifts[branch][kept])
        smaller_activation, activation = smaller.activations[branch], unit.activations[branch]
        cast("nn.PReLU", smaller_activation).weight.copy_(cast("nn.PReLU", activation).weight[kept])
    means = [
        norm.running_mean if isinstance(norm, nn.BatchNorm2d) else no_channels(unit) for norm in unit.norms
    ]
    return _layer(mask, _after_norms(unit, cast("list[Tensor]", means)))


def _after_norms(unit: NormalisedUnit, values: Sequence[Tensor]) -> list[Tensor]:
    """What the unit makes of channels that have one value all over, (C,) for each branch."""
    made: list[Tensor] = []
    for value, norm, activation in zip(values, unit.norms, unit.activations, strict=True):
        if isinstance(norm, nn.BatchNorm2d):
            normalised = functional.batch_norm(
                value[None], norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
            made.append(functional.prelu(normalised, cast("nn.PReLU", activation).weight)[0])
        else:
            made.append(value)
    return made


def _silenced(unit: NormalisedUnit, threshold: float) -> list[Tensor]:
    return [scale < threshold for scale in scales_of(unit)]


def _layer(mask: Mask, constants: Iterable[Tensor]) -> Layer:
    return Layer(
        mask, [torch.where(kept, 0.0, constant) for kept, constant in zip(mask, constants, strict=True)]
    )
