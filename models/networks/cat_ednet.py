"""CAT-EDNet: EDRNet's encoder and decoder, with a transformer on the skips and an attentive refinement.

Source: Luo et al., "CAT-EDNet: Cross-Attention Transformer-Based Encoder-Decoder Network for Salient Defect
Detection of Strip Steel Surface" (IEEE TIM 2022). No code was published; gaps in the text are filled from
EDRNet and UCTransNet, and where the text contradicts itself (a stem of stride 2 whose output has the size of
the image) the sizes decide. With 5 heads and 5 layers the network is 501 MB and not the published 313 MB;
with 2 layers it is 316 MB.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from models.errors import NetworkError
from models.networks import refinement_1d
from models.networks.blocks import scaled
from models.networks.channel_transformer import CrossAttentionTransformer
from models.networks.edrnet_blocks import (
    INPUT_WEIGHT,
    SIZE_MULTIPLE,
    Bridge,
    Decoder,
    Encoder,
    encoder_channels,
)
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.networks.refinement_1d import CrossAttentionRefinement, ResidualRefinement1D

PATCHES_PX = (32, 16, 8, 4, 2)
"""Of levels 0 to 4: the same part of the image at every level."""

Refinement = Literal["carm", "rrs", "none"]


class CATEDNet(SaliencyNetwork):
    """CAT-EDNet, seven supervised maps: refined (final), decoder levels 0 to 4 from fine to coarse, bridge.

    Without refinement there are six and that of level 0 is final. The paper's "He initialisation" is read as
    EDRNet's: Kaiming-normal residual layers, the rest as PyTorch's layers start, the transformer as
    UCTransNet's.

    Args:
        width: factor on all channels.
        in_channels: of the images.
        heads: of the transformer, each of full width.
        layers: of the transformer.
        refinement: the paper's CARM, EDRNet's RRS_1D, or none.
        attention: put the transformer on the skips; without it and with "rrs" this is EDRNet without CBAM.
        position_embedding: of the transformer's tokens.
        pretrained: ImageNet weights for the residual layers.

    Raises:
        NetworkError: no such refinement, fewer than one head or layer, or pretrained at another width than 1.
    """

    size_multiple = SIZE_MULTIPLE
    input_weight = INPUT_WEIGHT

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        heads: int = 5,
        layers: int = 5,
        refinement: Refinement = "carm",
        attention: bool = True,
        position_embedding: bool = True,
        pretrained: bool = False,
    ) -> None:
        super().__init__(in_channels)
        if heads < 1 or layers < 1:
            raise NetworkError(f"CAT-EDNet: expected at least 1 head and 1 layer, got {heads} and {layers}")
        channels = encoder_channels(width)
        self.encoder = Encoder(in_channels, channels, cbam=False, pretrained=pretrained)
        self.bridge = Bridge(channels[-1])
        self.transformer = (
            CrossAttentionTransformer(
                channels, PATCHES_PX, heads=heads, layers=layers, position_embedding=position_embedding
            )
            if attention
            else None
        )
        self.decoder = Decoder(channels)
        self.refinement = _refinement(refinement, scaled(refinement_1d.CHANNELS, width))

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        encoded = self.encoder(images)
        skips = encoded if self.transformer is None else self.transformer(encoded)
        sides = self.decoder(self.bridge(encoded[-1]), skips)
        if self.refinement is None:
            return SaliencyOutputs(sides[0], sides[1:])
        return SaliencyOutputs(self.refinement(sides[0]), sides)


def _refinement(name: Refinement, channels: int) -> nn.Module | None:
    if name == "carm":
        return CrossAttentionRefinement(channels)
    if name == "rrs":
        return ResidualRefinement1D(channels)
    if name == "none":
        return None
    raise NetworkError(f"CAT-EDNet: no refinement {name}, expected one of {', '.join(get_args(Refinement))}")
