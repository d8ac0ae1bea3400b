"""What a trained network is built from again: by its recipe, or by what pruning has left of it."""

from __future__ import annotations

from torch import nn

from models.networks.build import build
from models.networks.csnet import CSNet
from models.networks.outputs import SaliencyNetwork
from models.training.recipe import Recipe
from models.weights import locate
from models.weights.files import Knob, fill_network, read_weights

_OTHERWISE = ("base_width", "fine_share", "preset")
"""Knobs that say a CSNet's channels in another way than one by one."""


def build_for(recipe: Recipe, channels: str = "") -> SaliencyNetwork:
    """Build a recipe's network with new weights, or with those that it starts from.

    Args:
        recipe: of the run.
        channels: that pruning has left; empty before it.

    Raises:
        NetworkError: a width or knob that the network does not have.
        WeightsError: no weights to start from, or of another network.
    """
    if channels:
        return build(recipe.network, width=1.0, **_pruned_knobs(recipe, channels))
    network = build(recipe.network, width=recipe.width, **recipe.knobs)
    if recipe.start is not None:
        path = locate(recipe.start)
        weights, _ = read_weights(path)
        fill_network(network, weights, path)
    return network


def structure_of(recipe: Recipe, network: nn.Module) -> tuple[float, dict[str, Knob]]:
    """Return the width and the knobs that `build` makes a network of these channels from."""
    if recipe.prunes and isinstance(network, CSNet):
        return 1.0, _pruned_knobs(recipe, str(network.channels))
    return recipe.width, recipe.structure_knobs


def _pruned_knobs(recipe: Recipe, channels: str) -> dict[str, Knob]:
    return {**recipe.structure_knobs, **dict.fromkeys(_OTHERWISE), "channels": channels}
