"""Grey images: three equal channels folded into one, for the same result from a smaller first layer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from models.networks.outputs import SaliencyNetwork


def fold_grey(weights: Mapping[str, Tensor], network: type[SaliencyNetwork]) -> dict[str, Tensor]:
    """Weights for `in_channels=1` that compute what `weights` compute on grey replicated to all channels.

    Args:
        weights: state of a network of this class.
        network: its class.
    """
    folded = dict(weights)
    folded[network.input_weight] = folded[network.input_weight].sum(dim=1, keepdim=True)
    return folded
