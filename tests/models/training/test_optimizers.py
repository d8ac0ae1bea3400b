from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from models.errors import TrainingError
from models.losses import DynamicWeightDecay
from models.networks.build import build
from models.training.optimizers import (
    AdamSettings,
    AdamWSettings,
    RmsPropSettings,
    SgdSettings,
    make_optimizer,
    set_rate,
)


class Plain(nn.Module):
    """A weight and a bias below `encoder`, and the same elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.encoder = nn.Linear(3, 2)
        self.head = nn.Linear(2, 1)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return one number for each three."""
        result: torch.Tensor = self.head(self.encoder(numbers))
        return result


PAIRS: list[tuple[Any, Any]] = [
    (AdamWSettings(), lambda parameters: AdamW(parameters, lr=0.1, weight_decay=0.2)),
    (
        AdamSettings(betas=(0.9, 0.99)),
        lambda parameters: Adam(parameters, lr=0.1, betas=(0.9, 0.99), weight_decay=0.2),
    ),
    (SgdSettings(), lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.2)),
    (RmsPropSettings(), lambda parameters: RMSprop(parameters, lr=0.1, alpha=0.9, weight_decay=0.2)),
]


@pytest.mark.parametrize(("settings", "torch_own"), PAIRS, ids=lambda value: getattr(value, "kind", ""))
def test_settings_make_the_optimiser_that_they_name(settings: Any, torch_own: Any) -> None:
    ours, theirs = Plain(), Plain()
    optimizers = (
        make_optimizer(ours, settings, weight_decay=0.2, decay_all=True),
        torch_own(theirs.parameters()),
    )
    set_rate(optimizers[0], 0.1)
    for network, optimizer in zip((ours, theirs), optimizers, strict=True):
        for step in range(3):
            optimizer.zero_grad()
            network(torch.ones(4, 3) * step).square().sum().backward()
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_biases_keep_their_size_and_encoders_learn_slower() -> None:
    network = Plain()
    optimizer = make_optimizer(network, SgdSettings(), weight_decay=0.2, encoder_rate_factor=0.1)
    set_rate(optimizer, 0.5)
    found = {
        id(parameter): (group["weight_decay"], group["lr"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert {name: found[id(parameter)] for name, parameter in network.named_parameters()} == {
        "encoder.weight": (0.2, 0.05),
        "encoder.bias": (0.0, 0.05),
        "head.weight": (0.2, 0.5),
        "head.bias": (0.0, 0.5),
    }


def test_what_decays_dynamically_does_not_decay_twice() -> None:
    network = build("csnet-x1", width=0.2)
    decay = DynamicWeightDecay(network, 3.0)
    gammas = {id(gamma) for gamma in decay.gammas}
    optimizer = make_optimizer(
        network, AdamSettings(), weight_decay=5e-3, decay_all=True, undecayed=decay.gammas
    )
    decayed = {
        id(parameter)
        for group in optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    }
    assert decayed == {id(parameter) for parameter in network.parameters()} - gammas


def test_an_encoder_that_is_not_there_has_no_rate_of_its_own() -> None:
    with pytest.raises(TrainingError, match="CSNet has no part named backbone or encoder"):
        make_optimizer(build("csnet-x1", width=0.2), SgdSettings(), weight_decay=0, encoder_rate_factor=0.1)
