"""EDRNet: encoder with gated residual blocks, residual decoder, and a one-dimensional refinement.

Source: Song et al., "EDRNet: Encoder-Decoder Residual Network for Salient Object Detection of Strip Steel
Surface Defects" (IEEE TIM 2020), with the sizes of its published code.
"""

from __future__ import annotations

from torch import Tensor

from models.networks import refinement_1d
from models.networks.blocks import scaled
from models.networks.edrnet_blocks import (
    INPUT_WEIGHT,
    SIZE_MULTIPLE,
    Bridge,
    Decoder,
    Encoder,
    encoder_channels,
)
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.networks.refinement_1d import ResidualRefinement1D


class EDRNet(SaliencyNetwork):
    """EDRNet, seven supervised maps: refined (final), decoder levels 0 to 4 from fine to coarse, bridge.

    The residual layers start Kaiming-normal, the rest as PyTorch's layers do.

    Args:
        width: factor on all channels.
        in_channels: of the images.
        cbam: gate channels and places in every residual block of the encoder.
        pretrained: ImageNet weights for the residual layers.

    Raises:
        NetworkError: pretrained, at another width than 1 or with CBAM.
    """

    size_multiple = SIZE_MULTIPLE
    input_weight = INPUT_WEIGHT

    def __init__(
        self, width: float = 1.0, *, in_channels: int = 3, cbam: bool = True, pretrained: bool = False
    ) -> None:
        super().__init__(in_channels)
        channels = encoder_channels(width)
        self.encoder = Encoder(in_channels, channels, cbam=cbam, pretrained=pretrained)
        self.bridge = Bridge(channels[-1])
        self.decoder = Decoder(channels)
        self.refinement = ResidualRefinement1D(scaled(refinement_1d.CHANNELS, width))

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        skips = self.encoder(images)
        sides = self.decoder(self.bridge(skips[-1]), skips)
        return SaliencyOutputs(self.refinement(sides[0]), sides)
