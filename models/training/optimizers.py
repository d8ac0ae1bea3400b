"""Optimisers as data of a recipe, and the groups of parameters that they treat apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from models.errors import TrainingError
from models.training.record import Record, Share

Beta = Annotated[float, Field(ge=0, lt=1)]

ENCODERS = ("backbone.", "encoder.")
"""What the networks call the part that may come pretrained."""

RATE_FACTOR = "rate_factor"
"""Key of a parameter group: the learning rate is that of the schedule times this."""


class _Adaptive(Record):
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)


class AdamWSettings(_Adaptive):
    """Adam whose weight decay does not pass through its normalisation."""

    kind: Literal["adamw"] = "adamw"

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        return AdamW(groups, betas=self.betas, eps=self.eps)


class AdamSettings(_Adaptive):
    """Adam; weight decay is added to the gradient. BASNet, U2-Net; CSNet with betas 0.9 and 0.99."""

    kind: Literal["adam"] = "adam"

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        return Adam(groups, betas=self.betas, eps=self.eps)


class SgdSettings(Record):
    """Gradient descent with momentum: PFANet, KD-SCFNet."""

    kind: Literal["sgd"] = "sgd"
    momentum: Share = 0.9
    nesterov: bool = False

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        return SGD(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov)


class RmsPropSettings(Record):
    """RMSprop: EDRNet, CAT-EDNet."""

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: Share = 0.9
    eps: float = Field(default=1e-8, gt=0)
    momentum: Share = 0.0

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        return RMSprop(groups, alpha=self.alpha, eps=self.eps, momentum=self.momentum)


OptimizerSettings = Annotated[
    AdamWSettings | AdamSettings | SgdSettings | RmsPropSettings, Field(discriminator="kind")
]


def make_optimizer(
    network: nn.Module,
    settings: AdamWSettings | AdamSettings | SgdSettings | RmsPropSettings,
    *,
    weight_decay: float,
    decay_all: bool = False,
    encoder_rate_factor: float = 1.0,
    undecayed: Collection[nn.Parameter] = (),
) -> Optimizer:
    """Return the optimiser of a network, its parameters in groups by decay and by rate.

    Args:
        network: whose parameters it moves.
        settings: of the algorithm.
        weight_decay: of the decayed parameters.
        decay_all: also of biases, normalisations and other parameters of one dimension.
        encoder_rate_factor: on the rate of the encoder's parameters.
        undecayed: never decayed, whatever their dimension.

    Raises:
        TrainingError: a rate of its own for the encoder of a network that has none.
    """
    spared = {id(parameter) for parameter in undecayed}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decays = (decay_all or parameter.ndim > 1) and id(parameter) not in spared
        of_encoder = encoder_rate_factor != 1 and name.startswith(ENCODERS)
        groups.setdefault((decays, of_encoder), []).append(parameter)
    if encoder_rate_factor != 1 and not any(of_encoder for _, of_encoder in groups):
        raise TrainingError(
            f"encoder_rate_factor {encoder_rate_factor:g}: {type(network).__name__} has no part named "
            + " or ".join(name.rstrip(".") for name in ENCODERS)
        )
    return settings.make(
        [
            {
                "params": parameters,
                "weight_decay": weight_decay if decays else 0.0,
                RATE_FACTOR: encoder_rate_factor if of_encoder else 1.0,
            }
            for (decays, of_encoder), parameters in groups.items()
        ]
    )


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group of parameters its learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[RATE_FACTOR]


def named_state(network: nn.Module, optimizer: Optimizer) -> Mapping[str, dict[str, Any]]:
    """Return what the optimiser keeps of each parameter, by the parameter's name."""
    return {
        name: optimizer.state[parameter]
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
    }
