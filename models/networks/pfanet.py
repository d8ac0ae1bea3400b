"""PFANet: pyramid features weighted by channel, low-level features gated by where the pyramid looks.

Source: Zhao and Wu, "Pyramid Feature Attention Network for Saliency Detection" (CVPR 2019), sections 3.1 to
3.3; sizes and order as in the authors' Keras code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.networks.blocks import ConvBnRelu, scaled, side_output, upsample
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.networks.vgg16 import VGG16, load_imagenet

DROPOUT = 0.3
DILATIONS = (3, 5, 7)
GATE_KERNEL = 9


class CPFE(nn.Module):
    """Context-aware pyramid feature extraction from one level: 1x1 and three dilated 3x3 side by side."""

    def __init__(self, in_channels: int, branch_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                nn.Conv2d(in_channels, branch_channels, 1, bias=False),
                *(
                    nn.Conv2d(in_channels, branch_channels, 3, padding=rate, dilation=rate, bias=False)
                    for rate in DILATIONS
                ),
            ]
        )
        self.activate = nn.Sequential(nn.BatchNorm2d(len(self.branches) * branch_channels), nn.ReLU())

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, 4 branches, H, W), the 1x1 convolution first, then growing dilation."""
        context: Tensor = self.activate(torch.cat([branch(maps) for branch in self.branches], dim=1))
        return context


class ChannelAttention(nn.Module):
    """Weighs channels by their means through a bottleneck of a quarter of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(channels, channels // 4),
            nn.ReLU(),
            nn.Linear(channels // 4, channels),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return one weight in 0..1 a channel, (N, C, 1, 1)."""
        weights: Tensor = self.weigh(maps.mean(dim=(2, 3)))
        return weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """Gates positions by two branches of long thin convolutions, rows first and columns first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row, column = (1, GATE_KERNEL), (GATE_KERNEL, 1)
        self.rows_first, self.columns_first = (
            nn.Sequential(
                _conv_bn_relu(channels, channels // 2, first), _conv_bn_relu(channels // 2, 1, second)
            )
            for first, second in ((row, column), (column, row))
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the gate (N, 1, H, W), from 0.5 to below 1 because both branches end in ReLU."""
        return torch.sigmoid(self.rows_first(maps) + self.columns_first(maps))


class PFANet(SaliencyNetwork):
    """PFANet on VGG-16; one map, no side outputs.

    Where the authors' code always normalises by the statistics of the batch, inference here uses the running
    ones, as the PyTorch port does, so that an image's map does not depend on its neighbours. Where that port
    fuses the pyramid by a 3x3 convolution, this one takes the authors' 1x1.

    Args:
        width: factor on the channels of every layer; 1 is as published.
        in_channels: of the images.
        pretrained: ImageNet weights of VGG-16 from timm, for images normalised by ImageNet's mean and
            standard deviation.

    Raises:
        NetworkError: pretrained at another width than 1.
    """

    size_multiple = 16
    """Four poolings that round down: other sizes would not meet again when enlarged."""

    input_weight = "backbone.features.0.weight"

    def __init__(self, width: float = 1.0, *, in_channels: int = 3, pretrained: bool = False) -> None:
        super().__init__(in_channels)
        channels, branch_channels = scaled(64, width), scaled(32, width)
        self.backbone = VGG16(width, in_channels=in_channels, dropout=DROPOUT)
        c1, c2, *deep = self.backbone.widths
        self.cpfe = nn.ModuleList(CPFE(level, branch_channels) for level in deep)
        pyramid_channels = len(deep) * (1 + len(DILATIONS)) * branch_channels
        self.channel_attention = ChannelAttention(pyramid_channels)
        self.fuse_high = _conv_bn_relu(pyramid_channels, channels, (1, 1))
        self.spatial_attention = SpatialAttention(channels)
        self.low1 = ConvBnRelu(c1, channels)
        self.low2 = ConvBnRelu(c2, channels)
        self.fuse_low = ConvBnRelu(2 * channels, channels)
        self.head = side_output(2 * channels)
        if pretrained:
            load_imagenet(self.backbone)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        return self._saliency_and_attention(images)[0]

    def saliency_and_penalty(self, images: Tensor) -> tuple[SaliencyOutputs, Tensor]:
        """What `forward` returns, and the mean channel attention, a scalar that the paper's training adds.

        Training calls it in place of `forward` and adds the penalty to the loss. Nothing is kept on the
        module: that would be in the way of export and of copies.

        Raises:
            ImageShapeError: as `forward`.
        """
        self._check(images)
        outputs, attention = self._saliency_and_attention(images)
        return outputs, attention.mean()

    def _saliency_and_attention(self, images: Tensor) -> tuple[SaliencyOutputs, Tensor]:
        c1, c2, *deep = self.backbone(images)
        pyramid = torch.cat(
            [
                _enlarge(cpfe(c), 2**level)
                for level, (cpfe, c) in enumerate(zip(self.cpfe, deep, strict=True))
            ],
            dim=1,
        )
        attention = self.channel_attention(pyramid)
        high = _enlarge(self.fuse_high(attention * pyramid), 4)
        low = self.fuse_low(torch.cat([self.low1(c1), _enlarge(self.low2(c2), 2)], dim=1))
        gated = self.spatial_attention(high) * low
        return SaliencyOutputs(self.head(torch.cat([gated, high], dim=1))), attention


def _conv_bn_relu(in_channels: int, out_channels: int, kernel: tuple[int, int]) -> nn.Sequential:
    rows, columns = kernel
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=(rows // 2, columns // 2)),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def _enlarge(maps: Tensor, factor: int) -> Tensor:
    return upsample(maps, factor, align_corners=True)
