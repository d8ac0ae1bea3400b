"""MobileNetV3-Large as the student of KD-SCFNet has it: half the channels and a steeper hard sigmoid.

Source: Zhang et al., "KD-SCFNet" (2022), section III; Howard et al., "Searching for MobileNetV3" (ICCV 2019),
table 1. Three things differ from the libraries' MobileNetV3: every block expands, also where that keeps the
channels; the squeeze has exactly a quarter of the channels; the hard sigmoid has slope 0.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

HALF = 0.5
"""Factor on the channels of MobileNetV3-Large."""

STEM_CHANNELS = 16


class Row(NamedTuple):
    """A row of MobileNetV3-Large's table, at its full width."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    activation: type[nn.Module]
    stride: int


R, H = nn.ReLU, nn.Hardswish

LARGE = (
    Row(3, 16, 16, False, R, 1),
    Row(3, 64, 24, False, R, 2),
    Row(3, 72, 24, False, R, 1),
    Row(5, 72, 40, True, R, 2),
    Row(5, 120, 40, True, R, 1),
    Row(5, 120, 40, True, R, 1),
    Row(3, 240, 80, False, H, 2),
    Row(3, 200, 80, False, H, 1),
    Row(3, 184, 80, False, H, 1),
    Row(3, 184, 80, False, H, 1),
    Row(3, 480, 112, True, H, 1),
    Row(3, 672, 112, True, H, 1),
    Row(5, 672, 160, True, H, 2),
    Row(5, 960, 160, True, H, 1),
    Row(5, 960, 160, True, H, 1),
)

TAPS = (3, 6, 12, 15)
"""Blocks after which the features of strides 4, 8, 16 and 32 are taken."""


class HardSigmoid(nn.Module):
    """clip(0.2 x + 0.5, 0, 1): steeper than the x/6 + 0.5 of the later libraries."""

    SLOPE = 0.2

    def forward(self, values: Tensor) -> Tensor:
        """Return values between 0 and 1, of the same shape."""
        return (values * self.SLOPE + 0.5).clamp(0, 1)


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from the mean of every channel (SE)."""

    REDUCTION = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // self.REDUCTION, 1),
            nn.ReLU(),
            nn.Conv2d(channels // self.REDUCTION, channels, 1),
            HardSigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return gated maps of the same shape."""
        gated: Tensor = maps * self.gate(maps)
        return gated


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, gate where the table says so, 1x1 linear projection."""

    def __init__(self, in_channels: int, row: Row, round_channels: Callable[[int], int]) -> None:
        super().__init__()
        expanded, out = round_channels(row.expanded), round_channels(row.out)
        self.residual = row.stride == 1 and in_channels == out
        self.layers = nn.Sequential(
            conv_bn(in_channels, expanded, 1),
            row.activation(),
            conv_bn(expanded, expanded, row.kernel, stride=row.stride, groups=expanded),
            row.activation(),
            SqueezeExcite(expanded) if row.squeeze else nn.Identity(),
            conv_bn(expanded, out, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the row's channels and stride."""
        projected: Tensor = self.layers(maps)
        return maps + projected if self.residual else projected


class MobileNetV3(nn.Module):
    """Features of strides 4, 8, 16 and 32; MobileNetV3's 1x1 head and classifier are left out.

    Args:
        width: factor on the channels of the x0.5 network.

    Attributes:
        channels: of the features, finest first.
    """

    def __init__(self, width: float = 1.0, *, in_channels: int = 3) -> None:
        super().__init__()

        def rounded(channels: int) -> int:
            return make_divisible(channels * HALF * width)

        stem = rounded(STEM_CHANNELS)
        self.conv_stem = nn.Conv2d(in_channels, stem, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(nn.BatchNorm2d(stem), nn.Hardswish())
        ins = [stem, *(rounded(row.out) for row in LARGE)]
        self.blocks = nn.ModuleList(
            InvertedResidual(channels, row, rounded) for channels, row in zip(ins, LARGE, strict=False)
        )
        self.channels = tuple(ins[tap] for tap in TAPS)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return features of (N, C, H, W) images: (N, channels[i], H / s, W / s) for s = 4, 8, 16, 32."""
        maps = self.stem(self.conv_stem(images))
        features: list[Tensor] = []
        for count, block in enumerate(self.blocks, start=1):
            maps = block(maps)
            if count in TAPS:
                features.append(maps)
        return features


def conv_bn(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias that keeps the size (but for its stride), and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
    )


def make_divisible(channels: float, multiple: int = 8) -> int:
    """Round to a multiple, never to none and never below 90 % of what was asked for."""
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple
