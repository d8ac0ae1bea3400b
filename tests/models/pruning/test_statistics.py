from __future__ import annotations

import torch
from torch import nn

from models.pruning import reestimate


def test_statistics_are_means_over_the_batches() -> None:
    norm = nn.BatchNorm2d(2)
    nn.init.constant_(norm.running_mean, 9.0)
    batches = [torch.randn(4, 2, 8, 8) + shift for shift in (0.0, 1.0, 2.0)]
    reestimate(norm, batches)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(
        norm.running_mean, torch.stack([b.mean(dim=(0, 2, 3)) for b in batches]).mean(0)
    )
    torch.testing.assert_close(norm.running_var, torch.stack([b.var(dim=(0, 2, 3)) for b in batches]).mean(0))


def test_mode_momentum_and_weights_stay() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, momentum=0.3)).eval()
    before = [parameter.clone() for parameter in network.parameters()]
    reestimate(network, [torch.randn(2, 1, 4, 4)])
    assert not network.training
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.momentum == 0.3
    assert all(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in network.parameters())
