from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from models.errors import TrainingError
from models.losses import DynamicWeightDecay
from models.networks.csnet import InLayerBlock
from models.networks.octave import DepthwiseConv, NormalisedUnit


class TwoBlocks(nn.Module):
    """Two ILBlocks, one of two branches, one whose second branch is pruned away, and a unit outside."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first = InLayerBlock((3,), (4, 2), 3, 1)
        self.second = InLayerBlock((4, 2), (5, 0), 3, 2)
        self.outside = NormalisedUnit(DepthwiseConv((5, 0)), (5, 0))
        for norm in self.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.uniform_(norm.weight, 0.3, 1.5)
                nn.init.normal_(norm.bias)

    def forward(self, images: Tensor) -> Tensor:
        branches: list[Tensor] = self.outside(self.second(self.first([images])))
        assert branches[1] is None
        return branches[0]

    def watched(self) -> Iterator[NormalisedUnit]:
        for block in (self.first, self.second):
            for unit in block.units:
                assert isinstance(unit, NormalisedUnit)
                yield unit


def images() -> Tensor:
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def activities(network: TwoBlocks) -> list[tuple[nn.Parameter, Tensor]]:
    """Each watched gamma with its g, images apart, measured anew in training mode."""
    found: list[tuple[nn.Parameter, Tensor]] = []
    branches = [images()]
    for unit in network.watched():
        branches = unit(branches)
        for norm, branch in zip(unit.norms, branches, strict=True):
            if branch is None:
                continue
            assert isinstance(norm, nn.BatchNorm2d)
            found.append((norm.weight, branch.detach().mean(dim=(2, 3)).abs()))
    return found


def test_penalty_is_the_sum_over_units_branches_channels_and_images() -> None:
    network = TwoBlocks().double().train()
    of_images = sum(float((0.5 * g * gamma.detach() ** 2).sum()) for gamma, g in activities(network))
    regulariser = DynamicWeightDecay(network, strength=1.0)
    network(images())
    assert float(regulariser.penalty().detach()) == pytest.approx(of_images / len(images()), rel=1e-12)


def test_gradient_is_equation_3_on_gamma_and_nothing_elsewhere() -> None:
    network = TwoBlocks().double().train()
    expected = {id(gamma): 3 * g.mean(dim=0) * gamma.detach() for gamma, g in activities(network)}
    regulariser = DynamicWeightDecay(network, 3.0)
    network(images())
    regulariser.penalty().backward()
    assert {id(gamma) for gamma in regulariser.gammas} == set(expected)
    for parameter in network.parameters():
        if id(parameter) in expected:
            torch.testing.assert_close(parameter.grad, expected[id(parameter)], rtol=1e-12, atol=0)
        else:
            assert parameter.grad is None


def test_gradient_is_that_of_finite_differences_with_activity_held() -> None:
    network = TwoBlocks().double().train()
    regulariser = DynamicWeightDecay(network, 3.0)
    network(images())
    held = dict(regulariser._activity)
    gammas = regulariser.gammas

    def penalty(*_: Tensor) -> Tensor:
        regulariser._activity = dict(held)
        return regulariser.penalty()

    assert torch.autograd.gradcheck(penalty, tuple(gammas))


def test_it_adds_to_a_loss_and_lets_the_rest_learn() -> None:
    network = TwoBlocks().double().train()
    network(images()).square().mean().backward()
    plain = dict(gradients(network))
    network.zero_grad()
    regulariser = DynamicWeightDecay(network, 3.0)
    loss = network(images()).square().mean()
    (loss + regulariser.penalty()).backward()
    decayed = {id(gamma) for gamma in regulariser.gammas}
    parameters = dict(network.named_parameters())
    for name, gradient in gradients(network):
        assert torch.equal(gradient, plain[name]) is (id(parameters[name]) not in decayed)


def gradients(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        yield name, parameter.grad.clone()


def test_a_penalty_is_of_one_training_pass() -> None:
    network = TwoBlocks().double().train()
    regulariser = DynamicWeightDecay(network, 3.0)
    with pytest.raises(TrainingError, match="no training pass"):
        regulariser.penalty()
    network(images())
    first = regulariser.penalty()
    network.eval()(images())
    with pytest.raises(TrainingError, match="no training pass"):
        regulariser.penalty()
    network.train()(images())
    network.train()(images())
    torch.testing.assert_close(regulariser.penalty(), first)


def test_a_network_without_such_blocks_is_refused() -> None:
    with pytest.raises(TrainingError, match="Conv2d has no ILBlock"):
        DynamicWeightDecay(nn.Conv2d(1, 1, 1), 3.0)
