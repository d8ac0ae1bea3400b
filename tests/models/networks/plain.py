"""Networks' blocks computed again from their weights, by functions of torch alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def settled(module: nn.Module) -> nn.Module:
    """The module for inference, with running statistics and scales that are not the ones it starts with."""
    generator = torch.Generator().manual_seed(6)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values, low in ((norm.running_mean, -0.5), (norm.running_var, 0.5), (norm.weight.data, 0.5)):
                assert values is not None
                values.copy_(torch.rand(values.shape, generator=generator) + low)
    return module.eval()


def conv_bn_relu(unit: nn.Module, maps: Tensor, dilation: int = 1) -> Tensor:
    """A convolution that keeps the size, normalisation by running statistics, ReLU."""
    weights = dict(unit.named_parameters())
    kernel = weights["0.weight"]
    padding = [dilation * (side // 2) for side in kernel.shape[2:]]
    maps = functional.conv2d(maps, kernel, weights.get("0.bias"), padding=padding, dilation=dilation)
    statistics = dict(unit.named_buffers())
    mean, variance = statistics["1.running_mean"], statistics["1.running_var"]
    scale = weights["1.weight"] / (variance + 1e-5).sqrt()
    shifted = (maps - mean[:, None, None]) * scale[:, None, None] + weights["1.bias"][:, None, None]
    return shifted.clamp(min=0)


def enlarge(maps: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)
