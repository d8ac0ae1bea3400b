"""CoilNet: our own predict-then-refine network, an ImageNet-trained light encoder below a narrow decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import NetworkError
from models.networks.blocks import ConvBnRelu, pointwise, scaled, side_output, upsample
from models.networks.efficientnet_lite0 import EfficientNetLite0, encoder_input
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

CHANNELS = 48
"""Of the decoder above stride 2, where it has a third of them: wide maps cost, deep ones hardly do."""
CONTEXT_DILATIONS = (1, 2, 4)
"""At stride 32 a 256 tile is 8 x 8: more would only see padding."""
REFINE_DILATIONS = (1, 2, 4, 1)
TAPS = (0, 1, 2, 3, 4)
"""Stride 2 as well: thin scratches are gone at stride 4."""


class Context(nn.Module):
    """Parallel 1x1 and dilated 3x3 convolutions of the deepest features, fused by a 1x1 convolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce = pointwise(in_channels, channels)
        self.branches = nn.ModuleList(
            ConvBnRelu(channels, channels, dilation=dilation, bias=False) for dilation in CONTEXT_DILATIONS
        )
        self.fuse = pointwise(channels * (1 + len(CONTEXT_DILATIONS)), channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, channels, h, w)."""
        reduced = self.reduce(features)
        fused: Tensor = self.fuse(torch.cat([reduced, *(branch(reduced) for branch in self.branches)], dim=1))
        return fused


class TopDownStage(nn.Module):
    """The enlarged deeper map plus a lateral 1x1 of the encoder's, smoothed by two 3x3 convolutions."""

    def __init__(self, deeper: int, skip: int, channels: int) -> None:
        super().__init__()
        self.shrink = pointwise(deeper, channels) if deeper != channels else nn.Identity()
        self.lateral = pointwise(skip, channels)
        self.smooth = nn.Sequential(
            ConvBnRelu(channels, channels, bias=False), ConvBnRelu(channels, channels, bias=False)
        )

    def forward(self, deeper: Tensor, skip: Tensor) -> Tensor:
        """Return (N, channels, H, W) of the skip's size."""
        smoothed: Tensor = self.smooth(upsample(self.shrink(deeper), 2) + self.lateral(skip))
        return smoothed


class Refinement(nn.Module):
    """Adds a residual to the coarse logits from what they, the features and the image's grey show.

    Args:
        features: channels of the finest features, which have the coarse logits' stride of 2.
        full: at the image's own resolution, for what lies a few pixels apart: four times the operations.
    """

    def __init__(self, features: int, *, full: bool = False) -> None:
        super().__init__()
        self._full = full
        sizes = (features + 2, *(features for _ in REFINE_DILATIONS))
        self.layers = nn.Sequential(
            *(
                ConvBnRelu(before, after, dilation=dilation, bias=False)
                for before, after, dilation in zip(sizes, sizes[1:], REFINE_DILATIONS, strict=False)
            ),
            side_output(features),
        )

    def forward(self, logits: Tensor, features: Tensor, images: Tensor) -> Tensor:
        """Return refined logits, of the size of the images or of the coarse ones."""
        grey = images.mean(dim=1, keepdim=True)
        if self._full:
            logits, features = upsample(logits, 2), upsample(features, 2)
        else:
            grey = functional.avg_pool2d(grey, 2)
        residual: Tensor = self.layers(torch.cat([logits.sigmoid(), features, grey], dim=1))
        return logits + residual


class CoilNet(SaliencyNetwork):
    """EfficientNet-Lite0, context, five top-down stages with supervision, residual refinement.

    Side outputs: the coarse map, then those of strides 4, 8, 16 and 32.

    Args:
        width: factor on all channels.
        channels: of the decoder at width 1.
        refinement: False to end with the coarse map.
        full_refinement: at the images' own resolution instead of stride 2.
        pretrained: ImageNet weights for the encoder; only at width 1.

    Raises:
        NetworkError: a resolution for a refinement that is not there.
    """

    size_multiple = 32
    input_weight = "backbone.conv_stem.weight"

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        channels: int = CHANNELS,
        refinement: bool = True,
        full_refinement: bool = False,
        pretrained: bool = False,
    ) -> None:
        if full_refinement and not refinement:
            raise NetworkError("full_refinement: expected a refinement, got refinement = False")
        super().__init__(in_channels)
        self.backbone = EfficientNetLite0(width, in_channels=in_channels, taps=TAPS, pretrained=pretrained)
        skips = self.backbone.channels
        deep, fine = scaled(channels, width), scaled(channels // 3, width)
        self.context = Context(skips[-1], deep)
        widths = (deep, deep, deep, fine)
        self.stages = nn.ModuleList(
            TopDownStage(deeper, skip, own)
            for deeper, skip, own in zip((deep, *widths), reversed(skips[:-1]), widths, strict=False)
        )
        self.sides = nn.ModuleList(side_output(own) for own in (deep, *widths))
        self.refinement = Refinement(fine, full=full_refinement) if refinement else None

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        features = self.backbone(encoder_input(images))
        decoded = [self.context(features[-1])]
        for stage, skip in zip(self.stages, reversed(features[:-1]), strict=True):
            decoded.append(stage(decoded[-1], skip))
        logits = [side(maps) for side, maps in zip(self.sides, decoded, strict=True)]
        if self.refinement is not None:
            logits.append(self.refinement(logits[-1], decoded[-1], images))
        final, *sides = (upsample(side, images.shape[-1] // side.shape[-1]) for side in reversed(logits))
        return SaliencyOutputs(final, tuple(sides))
