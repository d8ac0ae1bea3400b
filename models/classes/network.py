"""The network of classes: EfficientNet-Lite0 down to stride 16, pooled over the finding and over its crop."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.efficientnet_lite0 import EfficientNetLite0

NAME = "lite0-finding"

STAGES = 5
"""Of the encoder's seven: the last two hold two thirds of its weights and see a crop as 4 x 4 cells."""

CHANNELS = 112
"""Of the fifth stage."""

STRIDE = 16
DROPOUT = 0.2
EPSILON = 1e-3
"""Of a finding's share of cells: below what a single pixel of it makes."""


class ClassNetwork(nn.Module):
    """Logits of classes, from crops with masks.

    The features are averaged twice: weighted by the finding's own share of every cell, and over the whole
    crop. So the finding is told from its surroundings without a second channel in the pretrained encoder.

    Args:
        classes: how many.
        pretrained: with ImageNet weights for the encoder.
    """

    def __init__(self, classes: int, *, pretrained: bool = False) -> None:
        super().__init__()
        encoder = EfficientNetLite0(in_channels=1, pretrained=pretrained)
        self.encoder = nn.Sequential(encoder.conv_stem, encoder.bn1, *encoder.blocks[:STAGES])
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(2 * CHANNELS, classes)

    def forward(self, crops: Tensor) -> Tensor:
        """Return logits (N, classes) of crops (N, 2, S, S) of 0 to 255: grey levels and masks."""
        crops = crops.float()
        features = self.encoder((crops[:, :1] - 127) / 128)
        shares = functional.avg_pool2d(crops[:, 1:], STRIDE) / 255
        inside = (features * shares).sum(dim=(2, 3)) / (shares.sum(dim=(2, 3)) + EPSILON)
        logits: Tensor = self.head(self.dropout(torch.cat([inside, features.mean(dim=(2, 3))], dim=1)))
        return logits
