"""ResNet-50 as a backbone: timm's, its last map of each stage."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.blocks import scaled
from models.networks.imagenet import timm_network

STAGE_CHANNELS = (64, 128, 256, 512)
EXPANSION = 4
"""A bottleneck gives this many times the channels it works with."""


class ResNet50(nn.Module):
    """Features of strides 4, 8, 16 and 32: 256, 512, 1024 and 2048 channels at width 1.

    Args:
        width: factor on the channels of the four stages; the stem keeps its 64.
        pretrained: with timm's ImageNet weights.

    Attributes:
        channels: of the features, finest first.

    Raises:
        NetworkError: pretrained at another width than 1, or no weights to be had.
    """

    def __init__(self, width: float = 1.0, *, in_channels: int = 3, pretrained: bool = False) -> None:
        super().__init__()
        if pretrained and width != 1:
            raise NetworkError(f"no ImageNet weights for resnet50 at width {width:g}: expected width 1")
        stages = tuple(scaled(channels, width) for channels in STAGE_CHANNELS)
        network = timm_network(
            "resnet50", pretrained=pretrained, in_chans=in_channels, num_classes=0, channels=stages
        )
        self.conv_stem = cast("nn.Conv2d", network.conv1)
        self.stem = nn.Sequential(
            *(cast("nn.Module", layer) for layer in (network.bn1, network.act1, network.maxpool))
        )
        self.layers = nn.ModuleList(cast("nn.Module", getattr(network, f"layer{n}")) for n in (1, 2, 3, 4))
        self.channels = tuple(channels * EXPANSION for channels in stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return features of (N, C, H, W) images: (N, channels[i], H / s, W / s) for s = 4, 8, 16, 32."""
        maps = self.stem(self.conv_stem(images))
        features: list[Tensor] = []
        for layer in self.layers:
            maps = layer(maps)
            features.append(maps)
        return features
