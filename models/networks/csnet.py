"""CSNet: an extremely light salient-object network of generalised octave convolutions.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020). Where text
and published sizes disagree (blocks at full resolution, scales of the head), the published sizes decide.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.blocks import upsample
from models.networks.csnet_channels import BASE_WIDTH, EVEN_SHARE, HEAD_STAGES, CSNetChannels
from models.networks.octave import Branches, DepthwiseConv, DilatedConvs, NormalisedUnit, OctaveConv, Split
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

STRIDES = (1, 1, 2, 2, 2)
"""Of the first block of each stage."""


class InLayerBlock(nn.Module):
    """One octave convolution and two depthwise ones, each normalised and activated; no residual (ILBlock)."""

    def __init__(self, in_split: Split, out_split: Split, kernel: int, stride: int) -> None:
        super().__init__()
        self.units = nn.Sequential(
            NormalisedUnit(OctaveConv(in_split, out_split, kernel, stride), out_split),
            NormalisedUnit(DepthwiseConv(out_split), out_split),
            NormalisedUnit(DepthwiseConv(out_split), out_split),
        )

    def forward(self, branches: Branches) -> list[Tensor | None]:
        """Return one map for each output branch."""
        result: list[Tensor | None] = self.units(branches)
        return result


class CrossStageHead(nn.Module):
    """Fuses three scales: octave 1x1, dilated pyramid in each scale, octave 1x1 to the finest, classifier."""

    def __init__(self, in_split: Split, channels: CSNetChannels) -> None:
        super().__init__()
        mid_split, fused = channels.head, channels.fused
        out_split = tuple(sum(share) for share in channels.dilated)
        self.fuse = nn.Sequential(
            NormalisedUnit(OctaveConv(in_split, mid_split, kernel=1), mid_split),
            NormalisedUnit(DilatedConvs(mid_split, channels.dilated), out_split),
            NormalisedUnit(OctaveConv(out_split, (fused,), kernel=1), (fused,)),
        )
        self.classify = nn.Conv2d(fused, 1, kernel_size=1)

    def forward(self, scales: Branches) -> Tensor:
        """Return one logit map (N, 1, h, w) of the finest scale's size."""
        fused: list[Tensor] = self.fuse(scales)
        logits: Tensor = self.classify(fused[0])
        return logits


class CSNet(SaliencyNetwork):
    """CSNet, published or with any channels of its branches; no side outputs.

    Args:
        width: factor on the channels of every layer.
        base_width: channels of the first two stages: 20 for x1 (the default), 24, 30, 36, 40 for x1.2 to x2.
        fine_share: of each block's channels, in its fine branch; half by default.
        preset: `l-x1` or `l-x2` for the two that the paper's authors pruned, instead of base width and share.
        channels: of every layer, instead of all of these: what pruning leaves; as text where they come from a
            weights file.
        stem_stride: of the first block: 1 as published, 2 to look at images at half their size, which takes a
            quarter of the time.

    Attributes:
        channels: of every layer.
        stem_stride: of the first block.

    Raises:
        NetworkError: no such preset, channels said in more than one way, channels that make no network, or
            another stride than 1 or 2.
    """

    size_multiple = 16
    """Height and width of the input must be multiples of this: three halvings and a coarse branch; twice as
    much with a stem of stride 2."""

    input_weight = "stages.0.0.units.0.conv.weight"

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        base_width: float | None = None,
        fine_share: float | None = None,
        preset: str | None = None,
        channels: CSNetChannels | str | None = None,
        stem_stride: int = 1,
    ) -> None:
        super().__init__(in_channels)
        if stem_stride not in {1, 2}:
            raise NetworkError(f"expected a stem stride of 1 or 2, got {stem_stride}")
        if isinstance(channels, str):
            channels = CSNetChannels.parse(channels)
        if sum(bool(given) for given in (preset, channels, (base_width, fine_share) != (None, None))) > 1:
            raise NetworkError("expected a preset, channels, or base width and share: got more than one")
        if preset:
            channels = CSNetChannels.pruned(preset)
        if channels:
            self.channels = channels if width == 1 else channels.scaled(width)
        else:
            self.channels = CSNetChannels.published(
                round((BASE_WIDTH if base_width is None else base_width) * width),
                fine_share=EVEN_SHARE if fine_share is None else fine_share,
            )
        split: Split = (in_channels,)
        stages: list[nn.Sequential] = []
        for splits, stride in zip(self.channels.stages, (stem_stride, *STRIDES[1:]), strict=True):
            stages.append(_stage(split, splits, stride))
            split = splits[-1]
        self.stages = nn.ModuleList(stages)
        self.stem_stride = stem_stride
        self.size_multiple = CSNet.size_multiple * stem_stride
        self._finest_stride = 2 * stem_stride
        scales = tuple(self.channels.stages[index][-1][0] for index in HEAD_STAGES)
        self.head = CrossStageHead(scales, self.channels)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        branches: Branches = [images]
        scales: list[Tensor | None] = []
        for index, stage in enumerate(self.stages):
            branches = stage(branches)
            if index in HEAD_STAGES:
                scales.append(branches[0])
        return SaliencyOutputs(upsample(self.head(scales), self._finest_stride))


def _stage(in_split: Split, splits: tuple[Split, ...], first_stride: int) -> nn.Sequential:
    built: list[nn.Module] = []
    for index, out_split in enumerate(splits):
        stride = first_stride if index == 0 else 1
        first_of_all = index == 0 and first_stride == 1 and len(in_split) == 1
        built.append(InLayerBlock(in_split, out_split, 3 if first_of_all or stride == 2 else 1, stride))
        in_split = out_split
    return nn.Sequential(*built)
