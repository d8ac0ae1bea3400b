"""How a run's network is pruned between two phases."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from models.errors import TrainingError
from models.networks.csnet import CSNet
from models.pruning import prune, reestimate, threshold_for
from models.training.recipe import Pruning


def prunable(network: nn.Module) -> CSNet:
    """Return the network.

    Raises:
        TrainingError: not a CSNet.
    """
    if not isinstance(network, CSNet):
        raise TrainingError(f"expected a CSNet to prune, got {type(network).__name__}")
    return network


def pruned_network(network: nn.Module, pruning: Pruning, images: Iterable[Tensor]) -> CSNet:
    """Return what a phase goes on with, its running statistics made anew.

    Args:
        network: trained; stays as it is.
        pruning: how much goes.
        images: normalised batches that the statistics are made from.

    Raises:
        TrainingError: not a CSNet.
        NetworkError: no threshold leaves as few parameters as were asked for.
    """
    trained = prunable(network)
    threshold = pruning.threshold
    if pruning.parameters is not None:
        threshold = threshold_for(trained, pruning.parameters, threshold)
    pruned = prune(trained, threshold)
    reestimate(pruned, images)
    return pruned
