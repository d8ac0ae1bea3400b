"""BASNet: an encoder-decoder predicts, a small residual one refines.

Source: Qin et al., "BASNet: Boundary-Aware Salient Object Detection" (CVPR 2019), sections 3.2 and 3.3; sizes
as in its code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from models.networks.blocks import ConvBnRelu, resize_like, scaled, side_output, upsample
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.networks.resnet34 import WIDTHS, load_imagenet, resnet34_layers

DECODER_CHANNELS = (
    (512, 512, 512),
    (512, 512, 512),
    (512, 512, 256),
    (256, 256, 128),
    (128, 128, 64),
    (64, 64, 64),
)
"""Of the three convolutions in stages 6 to 1."""

REFINEMENT_CHANNELS = 64
REFINEMENT_DEPTH = 4


class RefUnet(nn.Module):
    """Residual refinement module: a U of four poolings corrects a coarse saliency map of logits."""

    def __init__(self, channels: int = REFINEMENT_CHANNELS) -> None:
        super().__init__()
        self.entry = nn.Conv2d(1, channels, 3, padding=1)
        self.encoder = nn.ModuleList(ConvBnRelu(channels, channels) for _ in range(REFINEMENT_DEPTH))
        self.bottom = ConvBnRelu(channels, channels)
        self.decoder = nn.ModuleList(ConvBnRelu(2 * channels, channels) for _ in range(REFINEMENT_DEPTH))
        self.pool = nn.MaxPool2d(2)
        self.residual = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, coarse: Tensor) -> Tensor:
        """Return refined logits (N, 1, H, W); H and W multiples of 16."""
        maps = self.entry(coarse)
        skips: list[Tensor] = []
        for unit in self.encoder:
            skips.append(unit(maps))
            maps = self.pool(skips[-1])
        maps = self.bottom(maps)
        for unit, skip in zip(self.decoder, reversed(skips), strict=True):
            maps = unit(torch.cat([upsample(maps, 2), skip], dim=1))
        residual: Tensor = self.residual(maps)
        return coarse + residual


class BASNet(SaliencyNetwork):
    """BASNet; side outputs are d1 to d6 of the decoder and the bridge's, the final one refines d1.

    layer1 to layer4 of ResNet-34 start Kaiming-normal or with ImageNet weights; all else starts as PyTorch
    starts it, which is the code's way (the paper says Xavier).

    Args:
        width: factor on the channels of every layer; 1 is as published.
        in_channels: of the images.
        refinement: whether there is a refinement module; without it d1 is the final map.
        pretrained: ImageNet weights from timm in layer1 to layer4; the stem is the paper's own.

    Raises:
        NetworkError: pretrained at another width than 1.
    """

    size_multiple = 32
    """Five halvings between the images and the bridge."""

    input_weight = "stem.0.weight"

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        refinement: bool = True,
        pretrained: bool = False,
    ) -> None:
        super().__init__(in_channels)
        widths = [scaled(channels, width) for channels in WIDTHS]
        deepest = widths[-1]
        self.stem = ConvBnRelu(in_channels, widths[0])
        layers = resnet34_layers(widths)
        if pretrained:
            load_imagenet(layers)
        self.encoder = nn.ModuleList([*layers, _pooled_stage(deepest), _pooled_stage(deepest)])
        self.bridge = nn.Sequential(*(ConvBnRelu(deepest, deepest, dilation=2) for _ in range(3)))

        decoder: list[nn.Module] = []
        below = [deepest]
        for skip, channels in zip((deepest, deepest, *reversed(widths)), DECODER_CHANNELS, strict=True):
            outs = [scaled(out, width) for out in channels]
            decoder.append(_decoder_stage(below[-1] + skip, outs, dilation=1 if decoder else 2))
            below.append(outs[-1])
        self.decoder = nn.ModuleList(decoder)
        self.sides = nn.ModuleList(side_output(channels) for channels in reversed(below))
        self.refine = RefUnet(scaled(REFINEMENT_CHANNELS, width)) if refinement else None

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        maps = self.stem(images)
        skips: list[Tensor] = []
        for stage in self.encoder:
            maps = stage(maps)
            skips.append(maps)
        decoded = [self.bridge(maps)]
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            decoded.append(stage(torch.cat([resize_like(decoded[-1], skip), skip], dim=1)))
        coarse, *others = (
            resize_like(side(maps), images) for side, maps in zip(self.sides, reversed(decoded), strict=True)
        )
        if self.refine is None:
            return SaliencyOutputs(coarse, tuple(others))
        return SaliencyOutputs(self.refine(coarse), (coarse, *others))


def _decoder_stage(in_channels: int, outs: Sequence[int], dilation: int) -> nn.Sequential:
    first, second, third = outs
    return nn.Sequential(
        ConvBnRelu(in_channels, first),
        ConvBnRelu(first, second, dilation=dilation),
        ConvBnRelu(second, third, dilation=dilation),
    )


def _pooled_stage(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.MaxPool2d(2), *(BasicBlock(channels, channels) for _ in range(3)))
