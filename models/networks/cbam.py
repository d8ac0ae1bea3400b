"""CBAM: a residual block that weighs its channels, then its places.

Source: Woo et al., "CBAM: Convolutional Block Attention Module" (ECCV 2018), inside each block of ResNet-34
as EDRNet places it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

REDUCTION = 16
"""Of the channels between the two layers of the channel gate."""


class ChannelGate(nn.Module):
    """Weighs channels by one perceptron over their means and their maxima."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.perceptron = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C, H, W) maps, each channel times a weight of 0 to 1."""
        gate = self.perceptron(maps.mean(dim=(2, 3))) + self.perceptron(maps.amax(dim=(2, 3)))
        gated: Tensor = maps * gate.sigmoid()[:, :, None, None]
        return gated


class SpatialGate(nn.Module):
    """Weighs places by a 7x7 convolution over the maximum and the mean of the channels.

    The normalisation's weight starts at 0, so that every place starts with the weight of one half.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)
        nn.init.zeros_(self.norm.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C, H, W) maps, each place times a weight of 0 to 1."""
        summary = torch.cat([maps.amax(dim=1, keepdim=True), maps.mean(dim=1, keepdim=True)], dim=1)
        gated: Tensor = maps * self.norm(self.conv(summary)).sigmoid()
        return gated


class CbamBlock(BasicBlock):  # type: ignore[misc]  # torchvision is untyped
    """ResNet's basic block with both gates before the shortcut is added."""

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__(in_channels, channels, stride, downsample)
        self.cbam = nn.Sequential(ChannelGate(channels), SpatialGate())

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride) maps."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        activated: Tensor = self.relu(self.cbam(residual) + shortcut)
        return activated
