"""ImageNet weights of timm's backbones, downloaded when asked for."""

from __future__ import annotations

import timm
from torch import nn

from models.errors import NetworkError


def timm_network(name: str, *, pretrained: bool, **options: object) -> nn.Module:
    """One of timm's networks.

    Args:
        name: as timm knows it.
        pretrained: with ImageNet weights instead of random ones.
        options: of timm's network.

    Raises:
        NetworkError: the weights cannot be downloaded.
    """
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:
        raise NetworkError(
            f"no ImageNet weights for {name}: timm could not download them ({error})"
        ) from error
    return network
