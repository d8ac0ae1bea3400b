"""Which channels of a CSNet stay: those whose scales training has not driven to zero.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), sections 3.3
and 4: channels go by the scales of batch normalisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.cost import parameters_of
from models.networks.csnet import CSNet, InLayerBlock
from models.networks.csnet_channels import CSNetChannels
from models.networks.octave import NormalisedUnit, Split

Mask = list[Tensor]
"""Of each branch of a layer, finest first: (C,) bool, True where a channel stays."""


@dataclass(frozen=True)
class KeptChannels:
    """What stays of a network, layer by layer.

    Attributes:
        stages: of each block of each stage.
        head: of the head's first layer.
        dilated: of the head's pyramid, the dilations of a scale one after another.
        fused: of the head's last layer.
        channels: how many these are.
    """

    stages: tuple[tuple[Mask, ...], ...]
    head: Mask
    dilated: Mask
    fused: Mask
    channels: CSNetChannels


def select(network: CSNet, threshold: float) -> KeptChannels:
    """Choose the channels whose scales reach a threshold.

    A channel passes through three normalisations in a block. The paper's code looks at the first scale alone;
    here any that is small ends the channel, for behind it the channel is a constant. A layer that would lose
    all of its channels keeps the strongest.

    Args:
        network: trained.
        threshold: least absolute scale that stays.
    """
    stages = tuple(
        tuple(_reaching(_of_block(block), threshold) for block in _blocks(stage)) for stage in network.stages
    )
    octave, pyramid, fusion = units_of(network.head.fuse)
    # Each scale that has channels keeps one, for its pyramid to stand on.
    head = [mask for scale in scales_of(octave) for mask in _reaching([scale], threshold)]
    dilated = _reaching(scales_of(pyramid), threshold)
    fused = _reaching(scales_of(fusion), threshold)
    channels = CSNetChannels(
        stages=tuple(tuple(_counts(mask) for mask in stage) for stage in stages),
        head=_counts(head),
        dilated=tuple(
            _counts(list(torch.split(mask, list(share))))
            for mask, share in zip(dilated, network.channels.dilated, strict=True)
        ),
        fused=_counts(fused)[0],
    )
    return KeptChannels(stages, head, dilated, fused, channels)


def threshold_for(network: CSNet, parameters: int, least: float = 0.0) -> float:
    """Return the lowest threshold that leaves at most so many parameters.

    Args:
        network: trained.
        parameters: at most.
        least: threshold that is reached in any case.

    Raises:
        NetworkError: a network of one channel a layer has more.
    """
    scales = torch.cat([scale for layer in _layers(network) for scale in layer]).sort().values
    # A channel stays where its scale reaches the threshold, so each step goes just beyond one scale.
    steps = [
        least,
        *(float(step) for step in torch.nextafter(scales, torch.tensor(torch.inf)) if step > least),
    ]
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if _parameters(network, steps[middle]) <= parameters:
            high = middle
        else:
            low = middle + 1
    if _parameters(network, steps[low]) > parameters:
        raise NetworkError(
            f"expected a network of at most {parameters:,} parameters, but one channel a layer has more"
        )
    return steps[low]


def _parameters(network: CSNet, threshold: float) -> int:
    channels = select(network, threshold).channels
    with torch.device("meta"):
        left = CSNet(in_channels=network.in_channels, channels=channels, stem_stride=network.stem_stride)
    return parameters_of(left)


def _layers(network: CSNet) -> Iterator[list[Tensor]]:
    for stage in network.stages:
        yield from (_of_block(block) for block in _blocks(stage))
    yield from (scales_of(unit) for unit in units_of(network.head.fuse))


def _blocks(stage: nn.Module) -> Iterator[InLayerBlock]:
    return (block for block in stage.children() if isinstance(block, InLayerBlock))


def units_of(units: nn.Module) -> list[NormalisedUnit]:
    """Return the normalised units of a sequence."""
    return [unit for unit in units.children() if isinstance(unit, NormalisedUnit)]


def _of_block(block: InLayerBlock) -> list[Tensor]:
    """Of each branch, each channel's smallest scale on its way through the block."""
    of_units = (scales_of(unit) for unit in units_of(block.units))
    return [torch.stack(of_branch).amin(dim=0) for of_branch in zip(*of_units, strict=True)]


def scales_of(unit: NormalisedUnit) -> list[Tensor]:
    """Return the absolute scales of each branch, (C,); none of a branch without channels."""
    return [
        norm.weight.detach().abs() if isinstance(norm, nn.BatchNorm2d) else no_channels(unit)
        for norm in unit.norms
    ]


def no_channels(unit: nn.Module) -> Tensor:
    """Return what a branch without channels has one of for each channel: (0,), beside the parameters."""
    return next(unit.parameters()).new_zeros(0)


def _reaching(scales: Sequence[Tensor], threshold: float) -> Mask:
    mask = [scale >= threshold for scale in scales]
    if not any(bool(kept.any()) for kept in mask):
        strongest = max((float(scale.max()) for scale in scales if scale.numel()), default=threshold)
        mask = [scale >= strongest for scale in scales]
    return mask


def _counts(mask: Mask) -> Split:
    return tuple(int(kept.sum()) for kept in mask)
