"""What a trained network is built from again: by its recipe, or by what pruning has left of it."""

from __future__ import annotations

from torch import nn

from models.errors import TrainingError
from models.networks.build import build
from models.networks.csnet import CSNet
from models.networks.outputs import SaliencyNetwork
from models.training.recipe import Recipe
from models.weights import load, locate
from models.weights.files import Knob, read_weights

_OTHERWISE = ("base_width", "fine_share", "preset")
"""Knobs that say a CSNet's channels in another way than one by one."""


def build_for(recipe: Recipe, channels: str = "") -> SaliencyNetwork:
    """Build a recipe's network with new weights, or with those that it starts from.

    Args:
        recipe: of the run.
        channels: that pruning has left; empty before it.

    Raises:
        NetworkError: a width or knob that the network does not have.
        TrainingError: the weights to start from are of another network.
    """
    if channels:
        return build(recipe.network, width=1.0, **_pruned_knobs(recipe, channels))
    if recipe.start is None:
        return build(recipe.network, width=recipe.width, **recipe.knobs)
    network, info = load(recipe.start)
    wanted = (recipe.network, recipe.width, recipe.structure_knobs)
    if wanted != (found := (info.network, info.width, info.knobs)):
        raise TrainingError(
            f"recipe {recipe.name}: expected a start of {wanted}, got {recipe.start} of {found}"
        )
    return network


def start_of(recipe: Recipe) -> str:
    """Return version and digest of the weights that a recipe starts from, nothing where there are none."""
    if recipe.start is None:
        return ""
    _, info = read_weights(locate(recipe.start))
    return f"{info.version} {info.digest}"


def structure_of(recipe: Recipe, network: nn.Module) -> tuple[float, dict[str, Knob]]:
    """Return the width and the knobs that `build` makes a network of these channels from."""
    if recipe.prunes and isinstance(network, CSNet):
        return 1.0, _pruned_knobs(recipe, str(network.channels))
    return recipe.width, recipe.structure_knobs


def _pruned_knobs(recipe: Recipe, channels: str) -> dict[str, Knob]:
    return {**recipe.structure_knobs, **dict.fromkeys(_OTHERWISE), "channels": channels}
