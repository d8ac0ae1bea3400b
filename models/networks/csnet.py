"""CSNet: an extremely light salient-object network of generalised octave convolutions.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020). Where text
and published sizes disagree (blocks at full resolution, scales of the head), the published sizes decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.networks.blocks import upsample
from models.networks.octave import DepthwiseConv, DilatedConvs, NormalisedUnit, OctaveConv, Split
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

BASE_WIDTH = 20
"""Channels of the full-resolution stages at width factor 1."""

STAGES = ((1, 1, 1), (3, 1, 1), (4, 2, 2), (6, 2, 4), (4, 2, 4))
"""Of each stage: blocks, stride of the first, and multiple of the base width."""

HEAD_STAGES = (2, 3, 4)
"""Stages whose last block gives one fine branch to the head."""


class InLayerBlock(nn.Module):
    """One octave convolution and two depthwise ones, each normalised and activated; no residual."""

    def __init__(self, in_split: Split, out_split: Split, kernel: int, stride: int) -> None:
        super().__init__()
        self.units = nn.Sequential(
            NormalisedUnit(OctaveConv(in_split, out_split, kernel, stride), out_split),
            NormalisedUnit(DepthwiseConv(out_split), out_split),
            NormalisedUnit(DepthwiseConv(out_split), out_split),
        )

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Return one map for each output branch."""
        result: list[Tensor] = self.units(branches)
        return result


class CrossStageHead(nn.Module):
    """Fuses three scales: octave 1x1, dilated pyramid in each scale, octave 1x1 to the finest, classifier."""

    def __init__(self, in_split: Split) -> None:
        super().__init__()
        mid_split = tuple(channels // 3 for channels in in_split)
        width = sum(mid_split)
        self.fuse = nn.Sequential(
            NormalisedUnit(OctaveConv(in_split, mid_split, kernel=1), mid_split),
            NormalisedUnit(DilatedConvs(mid_split), mid_split),
            NormalisedUnit(OctaveConv(mid_split, (width,), kernel=1), (width,)),
        )
        self.classify = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Return one logit map (N, 1, h, w) of the finest scale's size."""
        fused: list[Tensor] = self.fuse(scales)
        logits: Tensor = self.classify(fused[0])
        return logits


class CSNet(SaliencyNetwork):
    """CSNet of a width factor, its channels split evenly between a fine and a coarse branch.

    Args:
        width: factor on the 20 channels of the first stages; published are 1, 1.2, 1.5, 1.8 and 2.
    """

    size_multiple = 16
    """Height and width of the input must be multiples of this: three halvings and a coarse branch."""

    input_weight = "stages.0.0.units.0.conv.weight"

    def __init__(self, width: float = 1.0, *, in_channels: int = 3, base_width: float = BASE_WIDTH) -> None:
        super().__init__(in_channels)
        base = round(base_width * width)
        split: Split = (in_channels,)
        stages: list[nn.Sequential] = []
        for index, (blocks, stride, multiple) in enumerate(STAGES):
            stage = _stage(split, base * multiple, blocks, stride, last_is_single=index in HEAD_STAGES)
            split = (base * multiple,) if index in HEAD_STAGES else _halves(base * multiple)
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.head = CrossStageHead(tuple(base * STAGES[index][2] for index in HEAD_STAGES))

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        branches = [images]
        scales: list[Tensor] = []
        for index, stage in enumerate(self.stages):
            branches = stage(branches)
            if index in HEAD_STAGES:
                scales.append(branches[0])
        return SaliencyOutputs(upsample(self.head(scales), 2))


def _halves(channels: int) -> Split:
    return channels // 2, channels // 2


def _stage(
    in_split: Split, channels: int, blocks: int, stride: int, *, last_is_single: bool
) -> nn.Sequential:
    built: list[nn.Module] = []
    for index in range(blocks):
        single = last_is_single and index == blocks - 1
        out_split = (channels,) if single else _halves(channels)
        first_stride = stride if index == 0 else 1
        kernel = 3 if (index == 0 and len(in_split) == 1) or first_stride == 2 else 1
        built.append(InLayerBlock(in_split, out_split, kernel, first_stride))
        in_split = out_split
    return nn.Sequential(*built)
