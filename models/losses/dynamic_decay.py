"""CSNet's dynamic weight decay: channels that say little lose their scale, and can then be pruned.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.errors import TrainingError
from models.networks.csnet import InLayerBlock
from models.networks.octave import Branches, NormalisedUnit


class DynamicWeightDecay:
    """Decay of the scales of batch normalisation in every ILBlock, by what their channels put out.

    The penalty is lambda * R, R the sum over units, branches and channels of 0.5 * g * gamma^2, where g is
    the batch mean of |mean over height and width of the output after PReLU| and a constant to the gradient:
    each gamma gets lambda * g * gamma (equation 3), and nothing else gets anything. The head has ordinary
    decay only. `gammas` are there to be left out of the optimiser's own decay (the paper's code, by a slip of
    the pen, decays those of each block's last unit twice). Watches the network's training passes:

        regulariser = DynamicWeightDecay(network, 3.0)
        loss = criterion(network(images), targets) + regulariser.penalty()

    Args:
        network: a CSNet, or any network of InLayerBlock.
        strength: lambda; 3 in the paper, for the whole of training.

    Raises:
        TrainingError: a network without such blocks.
    """

    def __init__(self, network: nn.Module, strength: float) -> None:
        self.strength = strength
        self._units = list(_units(network))
        if not self._units:
            raise TrainingError(f"{type(network).__name__} has no ILBlock for dynamic weight decay to act on")
        self._activity: dict[NormalisedUnit, list[Tensor | None]] = {}
        for unit in self._units:
            unit.register_forward_hook(self._watch)

    @property
    def gammas(self) -> list[nn.Parameter]:
        """The scales that it decays."""
        norms = (norm for unit in self._units for norm in unit.norms)
        return [norm.weight for norm in norms if isinstance(norm, nn.BatchNorm2d)]

    def penalty(self) -> Tensor:
        """Return the scalar penalty of the last training pass, once.

        Raises:
            TrainingError: there was no training pass since the last penalty.
        """
        if len(self._activity) != len(self._units):
            raise TrainingError("dynamic weight decay has seen no training pass since its last penalty")
        terms = [
            0.5 * (activity * norm.weight**2).sum()
            for unit, activities in self._activity.items()
            for norm, activity in zip(unit.norms, activities, strict=True)
            if isinstance(norm, nn.BatchNorm2d) and activity is not None
        ]
        self._activity.clear()
        return self.strength * torch.stack(terms).sum()

    def _watch(self, unit: NormalisedUnit, _: object, branches: Branches) -> None:
        if unit.training:
            self._activity[unit] = [None if branch is None else _mean_activity(branch) for branch in branches]


def _units(network: nn.Module) -> Iterator[NormalisedUnit]:
    for block in network.modules():
        if isinstance(block, InLayerBlock):
            yield from (unit for unit in block.modules() if isinstance(unit, NormalisedUnit))


def _mean_activity(branch: Tensor) -> Tensor:
    """Batch mean of each channel's |mean over height and width|."""
    values = branch.detach()
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    return values.mean(dim=(2, 3)).abs().mean(dim=0)
