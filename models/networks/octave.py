"""Generalised octave convolutions: feature maps in branches, each half the size of the one before.

A branch may have no channels: it has no map (None) and is skipped.

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

Branches = Sequence[Tensor | None]
"""One map (N, C, H, W) for each branch, finest first; None for a branch without channels."""

DILATIONS = (1, 2, 4, 8, 16)
"""Of the head's pyramid."""

WEIGHT_GAIN = 100.0
"""Depthwise and dilated weights are stored divided by this.

It changes how learning rate and weight decay act on them, not what the layer can express, and weights
trained with it cannot be read without it.
"""


class OctaveConv(nn.Module):
    """Convolution from every input branch to every output branch (gOctConv).

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

    def forward(self, branches: Branches) -> list[Tensor | None]:
        """Return one map of `out_split[j]` channels for each output branch j."""
        if self.stride == 2:
            branches = [None if branch is None else functional.avg_pool2d(branch, 2) for branch in branches]
        rows = _blocks(self.weight, self.out_split)
        return [None if row is None else self._gather(branches, row, scale) for scale, row in enumerate(rows)]

    def _gather(self, branches: Branches, row: Tensor, out_scale: int) -> Tensor:
        blocks = _blocks(row, self.in_split, dim=1)
        parts: list[Tensor] = []
        for scale, (branch, block) in enumerate(zip(branches, blocks, strict=True)):
            if branch is None or block is None:
                continue
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

    def forward(self, branches: Branches) -> list[Tensor | None]:
        """Return maps of the same shapes as `branches`."""
        weights = _blocks(self.weight * WEIGHT_GAIN, self.split)
        return [
            None
            if branch is None or weight is None
            else functional.conv2d(branch, weight, padding=1, groups=weight.shape[0])
            for branch, weight in zip(branches, weights, strict=True)
        ]


class DilatedConvs(nn.Module):
    """Parallel 3x3 convolutions of growing dilation inside each branch, concatenated.

    Args:
        in_split: channels of the branches.
        shares: of each branch, what each of `DILATIONS` gives; one may give nothing.
    """

    def __init__(self, in_split: Split, shares: Sequence[Split]) -> None:
        super().__init__()
        self.shares = tuple(shares)
        # Named by scale as in a list, but a branch without channels has no weight.
        self.weights = nn.ParameterDict(
            {
                str(scale): torch.empty(sum(share), channels, 3, 3)
                for scale, (channels, share) in enumerate(zip(in_split, shares, strict=True))
                if sum(share)
            }
        )
        for weight in self.weights.values():
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))

    def forward(self, branches: Branches) -> list[Tensor | None]:
        """Return maps of `sum(shares[i])` channels and the sizes of `branches`."""
        # torch's bfloat16 gradient of a dilated convolution can be NaN on CPUs, so these stay in float32.
        with torch.autocast("cpu", enabled=False):
            return [
                None
                if branch is None or not sum(share)
                else self._pyramid(
                    branch.to(self.weights[str(scale)].dtype), self.weights[str(scale)] * WEIGHT_GAIN, share
                )
                for scale, (branch, share) in enumerate(zip(branches, self.shares, strict=True))
            ]

    @staticmethod
    def _pyramid(branch: Tensor, weight: Tensor, share: Split) -> Tensor:
        return torch.cat(
            [
                functional.conv2d(branch, block, padding=dilation, dilation=dilation)
                for block, dilation in zip(_blocks(weight, share), DILATIONS, strict=True)
                if block is not None
            ],
            dim=1,
        )


class NormalisedUnit(nn.Module):
    """A branch-wise convolution, then batch normalisation and per-channel PReLU for each output branch."""

    def __init__(self, conv: nn.Module, out_split: Split) -> None:
        super().__init__()
        self.conv = conv
        # A branch without channels keeps its place, so that the others keep their names.
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) if n else nn.Identity() for n in out_split)
        self.activations = nn.ModuleList(nn.PReLU(n) if n else nn.Identity() for n in out_split)

    def forward(self, branches: Branches) -> list[Tensor | None]:
        """Return one activated map for each output branch."""
        return [
            None if branch is None else activation(norm(branch))
            for branch, norm, activation in zip(
                self.conv(branches), self.norms, self.activations, strict=True
            )
        ]


def _blocks(weight: Tensor, split: Split, dim: int = 0) -> list[Tensor | None]:
    """Cut a weight into one block for each branch that has channels."""
    pieces = iter(torch.split(weight, [channels for channels in split if channels], dim=dim))
    return [next(pieces) if channels else None for channels in split]
