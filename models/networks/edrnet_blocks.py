"""What EDRNet and CAT-EDNet are both built of: encoder, bridge, and the decoder with its side maps.

Source: Song et al., "EDRNet: Encoder-Decoder Residual Network for Salient Object Detection of Strip Steel
Surface Defects" (IEEE TIM 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from models.networks.blocks import ConvBnRelu, scaled, side_output, upsample
from models.networks.cbam import CbamBlock
from models.networks.resnet34 import load_imagenet, resnet34_layers

CHANNELS = (64, 64, 128, 256, 512)
"""Of the encoder's levels 0 to 4, at strides 1, 2, 4, 8, 16."""

SIZE_MULTIPLE = 32
"""The bridge is the fifth halving, and every decoder level must double back to its skip exactly."""

INPUT_WEIGHT = "encoder.stem.0.weight"


def encoder_channels(width: float) -> tuple[int, ...]:
    """Channels of the five levels at a width factor."""
    return tuple(scaled(channels, width) for channels in CHANNELS)


class Encoder(nn.Module):
    """A 3x3 stem at full size, max pooling, and the four layers of ResNet-34.

    Args:
        in_channels: of the images.
        channels: of the five levels.
        cbam: gate every residual block.
        pretrained: ImageNet weights for the residual layers.

    Raises:
        NetworkError: pretrained, at another width than 1 or with CBAM.
    """

    def __init__(self, in_channels: int, channels: Sequence[int], *, cbam: bool, pretrained: bool) -> None:
        super().__init__()
        self.stem = ConvBnRelu(in_channels, channels[0])
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        layers = resnet34_layers(channels[1:], block=CbamBlock if cbam else BasicBlock)
        if pretrained:
            load_imagenet(layers)
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return f0 to f4, at strides 1, 2, 4, 8, 16."""
        skips = [self.stem(images)]
        maps = self.pool(skips[0])
        for layer in self.layers:
            maps = layer(maps)
            skips.append(maps)
        return skips


class Bridge(nn.Sequential):
    """Halves the coarsest map once more and looks far around: stride 2, dilation 2, dilation 4."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            ConvBnRelu(channels, channels, stride=2),
            ConvBnRelu(channels, channels, dilation=2),
            ConvBnRelu(channels, channels, dilation=4),
        )


class ChannelWeightedBlock(nn.Module):
    """CWB: adds the skip to the decoder's map, each channel by a weight that both decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(2 * channels, channels, 1),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, decoded: Tensor, skip: Tensor) -> Tensor:
        """Return (N, C, H, W), as both inputs are."""
        weights: Tensor = self.weigh(torch.cat([decoded, skip], dim=1))
        return weights * skip + decoded


class ResidualDecoderBlock(nn.Module):
    """RDB: two 3x3 convolutions with a channel shuffle between them, a 1x1, and the shortcut.

    CAT-EDNet's text puts the shuffle first; EDRNet's published code, followed here, puts it after the first
    3x3. The three activations share one learnt slope.
    """

    SHUFFLE_GROUPS = 2

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.activation = nn.PReLU()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv3 = nn.Conv2d(out_channels, out_channels, 1)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, out_channels, H, W)."""
        residual = self.activation(self.norm1(self.conv1(maps)))
        residual = shuffle_channels(residual, self.SHUFFLE_GROUPS)
        residual = self.activation(self.norm2(self.conv2(residual)))
        residual = self.norm3(self.conv3(residual))
        activated: Tensor = self.activation(residual + self.shortcut(maps))
        return activated


class Decoder(nn.Module):
    """From the bridge back to full size: at each level a CWB and two RDBs, and a supervised side map."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        out_channels = (channels[0], *channels[:-1])
        self.weighted = nn.ModuleList(ChannelWeightedBlock(count) for count in channels)
        self.residual = nn.ModuleList(
            nn.Sequential(ResidualDecoderBlock(count, count), ResidualDecoderBlock(count, out_count))
            for count, out_count in zip(channels, out_channels, strict=True)
        )
        self.sides = nn.ModuleList(side_output(count) for count in (*out_channels, channels[-1]))

    def forward(self, bridge: Tensor, skips: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return six logit maps (N, 1, H, W): of levels 0 to 4, then of the bridge."""
        maps = bridge
        coarse_to_fine = [bridge]
        for level in reversed(range(len(skips))):
            maps = self.weighted[level](upsample(maps, 2), skips[level])
            maps = self.residual[level](maps)
            coarse_to_fine.append(maps)
        return tuple(
            upsample(side(decoded), 2**level)
            for level, (side, decoded) in enumerate(zip(self.sides, reversed(coarse_to_fine), strict=True))
        )


def shuffle_channels(maps: Tensor, groups: int) -> Tensor:
    """Interleave the groups: channel j of group i goes to place j * groups + i."""
    return torch.unflatten(maps, 1, (groups, -1)).transpose(1, 2).flatten(1, 2)
