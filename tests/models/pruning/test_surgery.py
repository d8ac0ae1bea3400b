from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from models.networks.cost import parameters_of
from models.networks.csnet import CSNet
from models.pruning import prune
from tests.models.pruning.trained import block_of, images, silence, trained

THRESHOLD = 1e-20


def difference(network: CSNet, pruned: CSNet) -> float:
    with torch.no_grad():
        whole, smaller = network(images(network.in_channels)).final, pruned(images(network.in_channels)).final
    assert float(whole.std()) > 1e-3
    return float((whole - smaller).abs().max() / whole.std())


def test_nothing_small_leaves_the_network_as_it_is() -> None:
    network = trained()
    pruned = prune(network, THRESHOLD)
    assert pruned.channels == network.channels
    assert all(
        torch.equal(tensor, pruned.state_dict()[name]) for name, tensor in network.state_dict().items()
    )


@pytest.mark.parametrize(
    "knobs", [{}, {"stem_stride": 2, "in_channels": 1}], ids=["published", "half size, grey"]
)
def test_channels_that_put_out_nothing_go_without_a_trace(knobs: dict[str, int]) -> None:
    network = trained(**knobs)
    for stage, block, branch in ((0, 0, 0), (1, 2, 1), (2, 3, 0), (3, 0, 1), (4, 3, 0)):
        for unit in block_of(network, stage, block).units:
            silence(unit, branch, [0, 2], shift=0.0)
    for unit, branch in ((0, 1), (1, 2), (2, 0)):
        silence(network.head.fuse[unit], branch, [1, 3], shift=0.0)
    pruned = prune(network, THRESHOLD)
    assert parameters_of(pruned) < parameters_of(network)
    assert difference(network, pruned) < 1e-4


def last_of_blocks(network: CSNet) -> None:
    for stage, block, branch in ((0, 0, 1), (1, 0, 0), (2, 1, 0), (3, 2, 1)):
        silence(block_of(network, stage, block).units[2], branch, [0, 1], shift=0.7)


def fusion(network: CSNet) -> None:
    silence(network.head.fuse[2], 0, [0, 5], shift=-0.7)


def pyramid(network: CSNet) -> None:
    silence(network.head.fuse[1], 1, [0, 3], shift=0.7)


@pytest.mark.parametrize("silenced", [last_of_blocks, fusion, pyramid])
def test_constants_that_no_border_meets_go_without_a_trace(silenced: Callable[[CSNet], None]) -> None:
    # What comes behind these is 1x1; a padded 3x3 would see the constant end at the border.
    network = trained()
    silenced(network)
    assert difference(network, prune(network, THRESHOLD)) < 1e-4


def test_a_constant_reaches_the_layers_behind_it_through_depthwise_kernels() -> None:
    network = trained()
    block = block_of(network, 3, 1)
    silence(block.units[0], 0, [0, 1, 2], shift=0.8)
    pruned = prune(network, THRESHOLD)
    fine = torch.randn(1, 16, 32, 32), torch.randn(1, 16, 16, 16)
    with torch.no_grad():
        behind, smaller_behind = (block_of(one, 3, 2).units[0] for one in (network, pruned))
        whole = behind(block(list(fine)))
        smaller = smaller_behind(block_of(pruned, 3, 1)(list(fine)))
    for one, other in zip(whole, smaller, strict=True):
        inside = (..., slice(4, -4), slice(4, -4))
        torch.testing.assert_close(one[inside], other[inside], rtol=1e-4, atol=1e-4)


def test_without_their_constants_the_maps_would_differ() -> None:
    network = trained()
    fusion(network)
    pruned = prune(network, THRESHOLD)
    with torch.no_grad():
        assert pruned.head.classify.bias is not None
        assert network.head.classify.bias is not None
        pruned.head.classify.bias.copy_(network.head.classify.bias)
    assert difference(network, pruned) > 0.01


def test_what_is_pruned_stays_as_it_was_and_both_keep_their_mode() -> None:
    network = trained().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pruned = prune(network, 1.0)
    assert network.training
    assert pruned.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in pruned.parameters())


def test_running_statistics_are_kept() -> None:
    network = trained()
    silence(block_of(network, 1, 1).units[0], 0, [1], shift=0.0)
    kept = [0, 2, 3]
    norm, smaller = (block_of(one, 1, 1).units[0].norms[0] for one in (network, prune(network, THRESHOLD)))
    torch.testing.assert_close(smaller.running_mean, norm.running_mean[kept])
    torch.testing.assert_close(smaller.running_var, norm.running_var[kept])
