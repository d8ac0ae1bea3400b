"""Refinement of a coarse saliency map by a small U-Net of one-dimensional convolutions.

Sources: Song et al., EDRNet (IEEE TIM 2020) for RRS_1D; Luo et al., CAT-EDNet (IEEE TIM 2022) for CARM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.blocks import ConvBnRelu, upsample

CHANNELS = 64
DILATIONS = (1, 1, 2, 4)
"""Along the kernels of stages 1 to 4."""


class ResidualRefinement1D(nn.Module):
    """RRS_1D: predicts what to add to a map of saliency logits.

    Four stages down and four up; each convolves along the columns, then along the rows, and the skips are
    taken between the two. The published max pooling rounds up, which no size that the networks take needs.
    """

    def __init__(self, channels: int = CHANNELS, *, cross_attention: bool = False) -> None:
        super().__init__()
        self.down_columns = nn.ModuleList(
            _along_columns(1 if stage == 0 else channels, channels, dilation)
            for stage, dilation in enumerate(DILATIONS)
        )
        self.down_rows = nn.ModuleList(_along_rows(channels, channels, dilation) for dilation in DILATIONS)
        self.bridge = ConvBnRelu(channels, channels)
        self.up_columns = nn.ModuleList(
            _along_columns(channels, channels, dilation) for dilation in DILATIONS
        )
        self.up_rows = nn.ModuleList(_along_rows(2 * channels, channels, dilation) for dilation in DILATIONS)
        self.attend = nn.ModuleList(
            CrossAttention(channels) if cross_attention else _PlainSkip() for _ in DILATIONS
        )
        self.predict = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, coarse: Tensor) -> Tensor:
        """Return refined logits for coarse ones, both (N, 1, H, W), H and W multiples of 16."""
        maps = coarse
        skips: list[Tensor] = []
        for columns, rows in zip(self.down_columns, self.down_rows, strict=True):
            skips.append(columns(maps))
            maps = functional.max_pool2d(rows(skips[-1]), 2)
        maps = self.bridge(maps)
        for stage in reversed(range(len(DILATIONS))):
            decoded = self.up_columns[stage](upsample(maps, 2))
            skip = self.attend[stage](skips[stage], decoded)
            maps = self.up_rows[stage](torch.cat([decoded, skip], dim=1))
        residual: Tensor = self.predict(maps)
        return coarse + residual


class CrossAttentionRefinement(ResidualRefinement1D):
    """CARM: RRS_1D whose skips pass a cross attention with the decoder's map at each stage."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__(channels, cross_attention=True)


class CrossAttention(nn.Module):
    """CA: weighs the channels of a skip by what encoder and decoder hold on average.

    The paper's formula leaves the place of the sigmoid open; it is one, after the mean of the two linear
    maps, and a ReLU follows the weighing, as in UCTransNet's channel-wise cross attention.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_encoded = nn.Linear(channels, channels)
        self.of_decoded = nn.Linear(channels, channels)

    def forward(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Return the weighed skip (N, C, H, W), as both inputs are."""
        votes = self.of_encoded(encoded.mean(dim=(2, 3))) + self.of_decoded(decoded.mean(dim=(2, 3)))
        mask = (votes / 2).sigmoid()[:, :, None, None]
        return functional.relu(mask * encoded)


class _PlainSkip(nn.Module):
    def forward(self, encoded: Tensor, _decoded: Tensor) -> Tensor:
        return encoded


def _along_columns(in_channels: int, out_channels: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
    return nn.Sequential(conv, nn.ReLU())


def _along_rows(in_channels: int, out_channels: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, (1, 3), padding=(0, dilation), dilation=(1, dilation))
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())
