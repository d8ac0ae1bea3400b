"""Generalised octave convolutions: feature maps in branches, each half the size of the one before.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Split = tuple[int, ...]
"""Channels of each branch, finest first; a branch may have none."""

WEIGHT_GAIN = 100.0
"""Depthwise and dilated weights are stored divided by this.

It changes how learning rate and weight decay act on them, not what the layer can express, and weights
trained with it cannot be read without it.
"""


class OctaveConv(nn.Module):
    """Convolution from every input branch to every output branch.

    Args:
        in_split: channels of the input branches, finest first.
        out_split: channels of the output branches; branch j has the scale of input branch j.
        kernel: 1 or 3; padding keeps the size.
        stride: 2 halves every branch by average pooling before the convolution.
    """

    def __init__(self, in_split: Split, out_split: Split, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.in_split = in_split
        self.out_split = out_split
        self.stride = stride
        self.padding = kernel // 2
        self.weight = nn.Parameter(torch.empty(sum(out_split), sum(in_split), kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Return one map of `out_split[j]` channels for each output branch j."""
        if self.stride == 2:
            branches = [functional.avg_pool2d(branch, 2) for branch in branches]
        rows = torch.split(self.weight, list(self.out_split))
        return [self._gather(branches, row, scale) for scale, row in enumerate(rows)]

    def _gather(self, branches: Sequence[Tensor], row: Tensor, out_scale: int) -> Tensor:
        blocks = torch.split(row, list(self.in_split), dim=1)
        parts: list[Tensor] = []
        for scale, (branch, block) in enumerate(zip(branches, blocks, strict=True)):
            ratio = 2 ** abs(scale - out_scale)
            finer = functional.max_pool2d(branch, ratio) if scale < out_scale else branch
            part = functional.conv2d(finer, block, padding=self.padding)
            if scale > out_scale:
                part = functional.interpolate(
                    part, scale_factor=float(ratio), mode="bilinear", align_corners=False
                )
            parts.append(part)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class DepthwiseConv(nn.Module):
    """Simplified octave convolution: depthwise 3x3 inside each branch, no exchange between branches."""

    def __init__(self, split: Split) -> None:
        super().__init__()
        self.split = split
        self.weight = nn.Parameter(torch.empty(sum(split), 1, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Return maps of the same shapes as `branches`."""
        weights = torch.split(self.weight * WEIGHT_GAIN, list(self.split))
        return [
            functional.conv2d(branch, weight, padding=1, groups=weight.shape[0])
            for branch, weight in zip(branches, weights, strict=True)
        ]


class DilatedConvs(nn.Module):
    """Parallel 3x3 convolutions of growing dilation inside each branch, concatenated.

    Each dilation gives a fifth of the branch's channels, the last one the remainder as well.
    """

    DILATIONS = (1, 2, 4, 8, 16)

    def __init__(self, split: Split) -> None:
        super().__init__()
        self.split = split
        self.weights = nn.ParameterList(torch.empty(channels, channels, 3, 3) for channels in split)
        for weight in self.weights:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Return maps of the same shapes as `branches`."""
        # torch's bfloat16 gradient of a dilated convolution can be NaN on CPUs, so these stay in float32.
        with torch.autocast("cpu", enabled=False):
            return [
                self._pyramid(branch.float(), weight * WEIGHT_GAIN)
                for branch, weight in zip(branches, self.weights, strict=True)
            ]

    def _pyramid(self, branch: Tensor, weight: Tensor) -> Tensor:
        channels = weight.shape[0]
        sizes = [channels // len(self.DILATIONS)] * (len(self.DILATIONS) - 1)
        blocks = torch.split(weight, [*sizes, channels - sum(sizes)])
        return torch.cat(
            [
                functional.conv2d(branch, block, padding=dilation, dilation=dilation)
                for block, dilation in zip(blocks, self.DILATIONS, strict=True)
            ],
            dim=1,
        )


class NormalisedUnit(nn.Module):
    """A branch-wise convolution, then batch normalisation and per-channel PReLU for each output branch."""

    def __init__(self, conv: nn.Module, out_split: Split) -> None:
        super().__init__()
        self.conv = conv
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in out_split)
        self.activations = nn.ModuleList(nn.PReLU(channels) for channels in out_split)

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Return one activated map for each output branch."""
        return [
            activation(norm(branch))
            for branch, norm, activation in zip(
                self.conv(branches), self.norms, self.activations, strict=True
            )
        ]
