"""CoilGate: our own gate, the first stages of ImageNet's features and a look around, at a stride of 8."""

from __future__ import annotations

from torch import Tensor, nn

from models.networks.blocks import ConvBnRelu, pointwise, scaled, side_output, upsample
from models.networks.efficientnet_lite0 import EfficientNetLite0, encoder_input
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

STAGES = 3
"""Of the encoder: what is deeper has 98 % of its parameters, and names things that steel does not show."""
STRIDE = 8
CHANNELS = 32
DILATIONS = (2, 4, 8)
"""With the head, a cell is held against 31 x 31 of those around it, a whole tile of 256 px: what is a defect
on one strip is texture on another."""


class CoilGate(SaliencyNetwork):
    """Three stages of EfficientNet-Lite0, three dilated convolutions, one logit for every 8 x 8 pixels.

    It tells that there is a defect and about where, not its outline. No side outputs.

    Args:
        width: factor on all channels.
        channels: of the convolutions behind the encoder, at width 1.
        pretrained: ImageNet weights for the encoder; only at width 1.
    """

    size_multiple = STRIDE
    input_weight = "backbone.conv_stem.weight"

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        channels: int = CHANNELS,
        pretrained: bool = False,
    ) -> None:
        super().__init__(in_channels)
        self.backbone = EfficientNetLite0(
            width, in_channels=in_channels, stages=STAGES, taps=(STAGES - 1,), pretrained=pretrained
        )
        own = scaled(channels, width)
        self.reduce = pointwise(self.backbone.channels[-1], own)
        self.around = nn.Sequential(
            *(ConvBnRelu(own, own, dilation=dilation, bias=False) for dilation in DILATIONS)
        )
        self.head = side_output(own)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        (features,) = self.backbone(encoder_input(images))
        reduced = self.reduce(features)
        return SaliencyOutputs(upsample(self.head(reduced + self.around(reduced)), STRIDE))
