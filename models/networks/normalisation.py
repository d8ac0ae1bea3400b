"""The one way from grey pixels to a network's input, for training and inspection alike."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = 0.4669
STANDARD_DEVIATION = 0.2437
"""Of SD-saliency-900, as its papers give them. Never an image's own: a clean tile must stay a clean tile."""

COLOURS = 3
"""The published networks take colour; grey is repeated."""


def network_input(pixels: Tensor, channels: int = COLOURS) -> Tensor:
    """Return normalised network input for grey images.

    Args:
        pixels: (N, H, W), 0 to 255, uint8 or float.
        channels: that the network takes; grey is repeated.

    Returns:
        (N, channels, H, W) float32.
    """
    scaled = (pixels.to(torch.float32) / 255.0 - MEAN) / STANDARD_DEVIATION
    return scaled.unsqueeze(1).expand(-1, channels, -1, -1)
