"""Blocks that several papers share, by the names that their readers know."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvBnRelu(nn.Sequential):
    """3x3 convolution (padding keeps the size), batch normalisation, ReLU.

    Args:
        in_channels: of the convolution.
        out_channels: of the convolution.
        stride: of the convolution.
        dilation: of the convolution.
        bias: of the convolution; the papers have it, though the normalisation takes it away again.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, 3, stride=stride, padding=dilation, dilation=dilation, bias=bias
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    """1x1 convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


def side_output(channels: int) -> nn.Conv2d:
    """The head of deep supervision: a 3x3 convolution with bias to one logit map."""
    return nn.Conv2d(channels, 1, 3, padding=1)


def upsample(maps: Tensor, factor: int, *, align_corners: bool = False) -> Tensor:
    """Enlarge (N, C, H, W) maps bilinearly by a whole factor."""
    if factor == 1:
        return maps
    return functional.interpolate(
        maps, scale_factor=float(factor), mode="bilinear", align_corners=align_corners
    )


def resize_like(maps: Tensor, reference: Tensor) -> Tensor:
    """Resize (N, C, h, w) maps bilinearly to the height and width of a reference."""
    if maps.shape[-2:] == reference.shape[-2:]:
        return maps
    return functional.interpolate(maps, size=reference.shape[-2:], mode="bilinear", align_corners=False)


def scaled(channels: int, width: float, multiple: int = 8) -> int:
    """Channels at a width factor: rounded to a multiple (never below it) unless the width is 1."""
    if width == 1:
        return channels
    return max(multiple, round(channels * width / multiple) * multiple)
