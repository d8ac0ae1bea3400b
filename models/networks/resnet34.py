"""The four residual layers of ResNet-34, which EDRNet, CAT-EDNet and BASNet put behind stems of their own.

Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), table 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from models.errors import NetworkError

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 2, 2)


def resnet34_layers(
    widths: Sequence[int] = WIDTHS,
    strides: Sequence[int] = STRIDES,
    block: type[BasicBlock] = BasicBlock,
) -> list[nn.Sequential]:
    """Build layer1 to layer4 with Kaiming-normal (fan out) convolutions.

    Args:
        widths: channels of each layer; the stem in front must give `widths[0]`.
        strides: of the first block of each layer.
        block: the residual block, for a network that changes it.
    """
    layers: list[nn.Sequential] = []
    channels = widths[0]
    for width, stride, count in zip(widths, strides, BLOCKS, strict=True):
        first = block(channels, width, stride, _shortcut(channels, width, stride))
        layers.append(nn.Sequential(first, *(block(width, width) for _ in range(count - 1))))
        channels = width
    for module in nn.ModuleList(layers).modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return layers


def load_imagenet(layers: Sequence[nn.Sequential]) -> None:
    """Fetch timm's ImageNet weights of ResNet-34 (needs the internet once) and load layer1 to layer4.

    Raises:
        NetworkError: layers of other widths or blocks than the published ones, or no download.
    """
    with torch.device("meta"):
        published = resnet34_layers()
    if _shapes(layers) != _shapes(published):
        raise NetworkError("ImageNet weights of ResNet-34 fit only width 1 and unchanged residual blocks")
    # timm takes seconds to import, and only this needs it.
    from models.networks.imagenet import timm_network  # noqa: PLC0415

    load_resnet34(layers, timm_network("resnet34", pretrained=True).state_dict())


def load_resnet34(layers: Sequence[nn.Sequential], weights: Mapping[str, Tensor]) -> None:
    """Load layer1 to layer4 from the state of a whole ResNet-34, as timm and torchvision name it."""
    for number, layer in enumerate(layers, start=1):
        prefix = f"layer{number}."
        layer.load_state_dict(
            {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        )


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(projection, nn.BatchNorm2d(out_channels))


def _shapes(layers: Sequence[nn.Sequential]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in nn.ModuleList(layers).state_dict().items()}
