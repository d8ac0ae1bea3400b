"""SCFNet: a small backbone whose features are fused from deep to shallow, and its teacher.

Source: Zhang et al., "KD-SCFNet: Towards More Accurate and Efficient Salient Object Detection via Knowledge
Distillation" (2022), section III. Where text and published code disagree (what multiplies what in the fusion,
how the deepest features are reduced), the code decides: its figures are the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.blocks import ConvBnRelu, resize_like, scaled, side_output
from models.networks.mobilenetv3 import MobileNetV3
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

Backbone = Literal["mobilenetv3", "resnet50", "efficientnet_lite0"]

CHANNELS: Mapping[Backbone, int] = {"mobilenetv3": 16, "resnet50": 64, "efficientnet_lite0": 48}
"""Of the fusion: student and teacher as published; between them, ours for a backbone between them."""

DEEPEST_DILATION = 5


class SCFM(nn.Module):
    """Semantics-guided contextual fusion: deeper features say where the shallower ones matter.

    a = cbr1(deep + deep * up(deepest)); b = cbr2(shallow + shallow * up(deep)); result = cbr3(b + up(a)).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deep = ConvBnRelu(channels, channels)
        self.shallow = ConvBnRelu(channels, channels)
        self.fuse = ConvBnRelu(channels, channels)

    def forward(self, shallow: Tensor, deep: Tensor, deepest: Tensor) -> Tensor:
        """Return a map of the shape of `shallow`; all three have the same channels."""
        guided_deep = self.deep(deep + deep * resize_like(deepest, deep))
        guided_shallow = self.shallow(shallow + shallow * resize_like(deep, shallow))
        fused: Tensor = self.fuse(guided_shallow + resize_like(guided_deep, guided_shallow))
        return fused


class SCFNet(SaliencyNetwork):
    """SCFNet; its sides are the fused maps of strides 8 and 16 and the deepest features of stride 32.

    Args:
        width: factor on the channels of backbone and fusion.
        backbone: of the student, of the teacher (`resnet50`), or EfficientNet-Lite0.
        channels: of the fusion at width 1; None for what `CHANNELS` says of the backbone.
        pretrained: ImageNet weights in the backbone, at width 1; there are none for `mobilenetv3`.

    Attributes:
        backbone: its part that may come with weights, and learns slower when it does.

    Raises:
        NetworkError: no such backbone, or no ImageNet weights for it.
    """

    size_multiple = 32
    input_weight = "backbone.conv_stem.weight"

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        backbone: Backbone = "mobilenetv3",
        channels: int | None = None,
        pretrained: bool = False,
    ) -> None:
        super().__init__(in_channels)
        if backbone not in CHANNELS:
            raise NetworkError(f"no backbone {backbone}: expected one of {', '.join(CHANNELS)}")
        fused = scaled(channels or CHANNELS[backbone], width)
        self.backbone = _backbone(backbone, width, in_channels, pretrained=pretrained)
        tapped = cast("tuple[int, ...]", self.backbone.channels)
        self.reduce = nn.ModuleList(ConvBnRelu(tap, fused) for tap in tapped)
        self.dilate = ConvBnRelu(fused, fused, dilation=DEEPEST_DILATION)
        self.fusions = nn.ModuleList(SCFM(fused) for _ in range(3))
        self.heads = nn.ModuleList(side_output(fused) for _ in range(4))
        for name, part in self.named_children():
            # The backbones of timm come initialised, pretrained or not.
            if name != "backbone" or backbone == "mobilenetv3":
                part.apply(_initialise)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        f2, f3, f4, f5 = (reduce(tap) for reduce, tap in zip(self.reduce, self.backbone(images), strict=True))
        f5 = self.dilate(f5)
        fuse2, fuse3, fuse4 = self.fusions
        s4 = fuse4(f4, f5, f5)
        s3 = fuse3(f3, s4, f5)
        s2 = fuse2(f2, s3, f5)
        final, *sides = (
            resize_like(head(maps), images) for head, maps in zip(self.heads, (s2, s3, s4, f5), strict=True)
        )
        return SaliencyOutputs(final, tuple(sides))


def _backbone(name: Backbone, width: float, in_channels: int, *, pretrained: bool) -> nn.Module:
    # timm takes seconds to import, and the student does without it.
    if name == "resnet50":
        from models.networks.resnet50 import ResNet50  # noqa: PLC0415

        return ResNet50(width, in_channels=in_channels, pretrained=pretrained)
    if name == "efficientnet_lite0":
        from models.networks.efficientnet_lite0 import EfficientNetLite0  # noqa: PLC0415

        return EfficientNetLite0(width, in_channels=in_channels, pretrained=pretrained)
    if pretrained:
        raise NetworkError("no ImageNet weights for mobilenetv3: none are published for this half-width one")
    return MobileNetV3(width, in_channels=in_channels)


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
