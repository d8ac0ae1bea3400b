"""U2-Net and U2-NetP: a U of U-shaped residual blocks, compared with the networks that inspect.

Source: Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection" (Pattern
Recognition 2020), sections 3.1 and 3.2; sizes as in its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.networks.blocks import ConvBnRelu, resize_like, scaled, side_output
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

HEIGHTS = (7, 6, 5, 4)
"""L of the RSU-L in stages 1 to 4; the maps of stages 5 and 6 are too small to pool again: RSU-4F."""


class ResidualU(nn.Module):
    """A U of convolutions whose output is added to the convolved input.

    Args:
        in_channels: of the input.
        mid_channels: of the maps inside the U.
        out_channels: of the output and of the residual.
        dilations: of the convolutions downwards, the last one being the bottom of the U.
        pooled: whether maps halve between them.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        *,
        dilations: Sequence[int],
        pooled: bool,
    ) -> None:
        super().__init__()
        *down, bottom = dilations
        first = len(down) - 1
        self.entry = ConvBnRelu(in_channels, out_channels)
        self.encoder = nn.ModuleList(
            ConvBnRelu(mid_channels if level else out_channels, mid_channels, dilation=dilation)
            for level, dilation in enumerate(down)
        )
        self.bottom = ConvBnRelu(mid_channels, mid_channels, dilation=bottom)
        self.decoder = nn.ModuleList(
            ConvBnRelu(2 * mid_channels, out_channels if level == first else mid_channels, dilation=dilation)
            for level, dilation in enumerate(reversed(down))
        )
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if pooled else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, out, H, W) for (N, in, H, W) of any size."""
        residual: Tensor = self.entry(maps)
        skips: list[Tensor] = []
        maps = residual
        for unit in self.encoder:
            maps = unit(self.pool(maps) if skips else maps)
            skips.append(maps)
        maps = self.bottom(maps)
        for unit, skip in zip(self.decoder, reversed(skips), strict=True):
            maps = unit(torch.cat([resize_like(maps, skip), skip], dim=1))
        return maps + residual


class RSU(ResidualU):
    """Residual U-block RSU-L: L - 2 poolings, and a dilated convolution at the bottom.

    Args:
        height: L.
    """

    def __init__(self, height: int, in_channels: int, mid_channels: int, out_channels: int) -> None:
        dilations = (*(1,) * (height - 1), 2)
        super().__init__(in_channels, mid_channels, out_channels, dilations=dilations, pooled=True)


class RSU4F(ResidualU):
    """Residual U-block RSU-4F: no pooling, dilations 1, 2, 4, 8 down and 4, 2, 1 up."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, mid_channels, out_channels, dilations=(1, 2, 4, 8), pooled=False)


class U2Net(SaliencyNetwork):
    """U2-Net; side outputs are those of decoder stages 1 to 5 and of stage 6, the final one fuses them.

    Args:
        width: factor on the channels of every layer; 1 is as published.
        in_channels: of the images.
    """

    size_multiple = 32
    """Pooling rounds up, so any size would run, but with multiples of 32 every pooling, at most five on any
    path, halves exactly, and what is enlarged lies again on the pixels it came from."""

    input_weight = "encoder.0.entry.0.weight"

    encoder_channels: ClassVar = ((32, 64), (32, 128), (64, 256), (128, 512), (256, 512), (256, 512))
    """Of the maps inside and of the output, stages 1 to 6."""

    decoder_channels: ClassVar = ((256, 512), (128, 256), (64, 128), (32, 64), (16, 64))
    """Of the maps inside and of the output, stages 5 to 1."""

    def __init__(self, width: float = 1.0, *, in_channels: int = 3) -> None:
        super().__init__(in_channels)
        encoder, decoder = (
            [(scaled(mid, width), scaled(out, width)) for mid, out in channels]
            for channels in (self.encoder_channels, self.decoder_channels)
        )
        skips = [out for _, out in encoder]
        self.encoder = nn.ModuleList(
            _stage(number, channels, *encoder[number - 1])
            for number, channels in enumerate([in_channels, *skips[:-1]], start=1)
        )
        below = [skips[-1], *(out for _, out in decoder)]
        self.decoder = nn.ModuleList(
            _stage(number, below[5 - number] + skips[number - 1], *decoder[5 - number])
            for number in (5, 4, 3, 2, 1)
        )
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.sides = nn.ModuleList(side_output(channels) for channels in reversed(below))
        self.fuse = nn.Conv2d(len(self.sides), 1, kernel_size=1)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        maps = images
        skips: list[Tensor] = []
        for stage in self.encoder:
            maps = stage(self.pool(maps) if skips else maps)
            skips.append(maps)
        decoded = [skips.pop()]
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            decoded.append(stage(torch.cat([resize_like(decoded[-1], skip), skip], dim=1)))
        sides = tuple(
            resize_like(side(maps), images) for side, maps in zip(self.sides, reversed(decoded), strict=True)
        )
        return SaliencyOutputs(self.fuse(torch.cat(sides, dim=1)), sides)


class U2NetP(U2Net):
    """The small U2-Net: 16 channels inside every block and 64 out of it."""

    encoder_channels = ((16, 64),) * 6
    decoder_channels = ((16, 64),) * 5


def _stage(number: int, in_channels: int, mid_channels: int, out_channels: int) -> ResidualU:
    if number > len(HEIGHTS):
        return RSU4F(in_channels, mid_channels, out_channels)
    return RSU(HEIGHTS[number - 1], in_channels, mid_channels, out_channels)
