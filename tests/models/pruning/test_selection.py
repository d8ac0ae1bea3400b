from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.errors import NetworkError
from models.networks.cost import parameters_of
from models.networks.csnet import CSNet
from models.networks.csnet_channels import CSNetChannels
from models.pruning import prune, select, threshold_for
from models.pruning.selection import scales_of, units_of
from tests.models.pruning.trained import block_of, norm_of, silence, trained


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_any_small_scale_on_its_way_through_a_block_ends_a_channel(unit: int) -> None:
    network = trained()
    silence(block_of(network, 2, 1).units[unit], 1, [1, 4, 5])
    assert select(network, 1e-20).channels.stages[2][1] == (8, 5)


def test_masks_reach_the_inputs_of_what_follows() -> None:
    network = trained()
    silence(block_of(network, 2, 3).units[0], 0, [0, 7])
    silence(block_of(network, 1, 0).units[0], 1, [2])
    pruned = prune(network, 1e-20)
    assert block_of(pruned, 1, 1).units[0].conv.in_split == (4, 3)
    assert block_of(pruned, 3, 0).units[0].conv.in_split == (14,)
    assert pruned.head.fuse[0].conv.in_split == (14, 32, 32)
    kept = [channel for channel in range(8) if channel != 4 + 2]
    whole, smaller = (block_of(one, 1, 1).units[0].conv.weight for one in (network, pruned))
    torch.testing.assert_close(smaller, whole[:, kept])


def test_dilated_branches_lose_channels_per_dilation() -> None:
    network = trained()
    assert network.channels.dilated[1] == (2, 2, 2, 2, 2)
    silence(network.head.fuse[1], 1, [0, 3, 8, 9])
    pruned = prune(network, 1e-20)
    assert pruned.channels.dilated[1] == (1, 1, 2, 2, 0)
    assert pruned.head.fuse[1].conv.shares[1] == (1, 1, 2, 2, 0)
    kept = [1, 2, 4, 5, 6, 7]
    torch.testing.assert_close(
        pruned.head.fuse[1].conv.weights["1"], network.head.fuse[1].conv.weights["1"][kept]
    )


def test_a_branch_may_go_but_no_layer_and_no_scale_of_the_head() -> None:
    network = trained()
    silence(block_of(network, 3, 1).units[1], 1, list(range(16)))
    with torch.no_grad():
        for branch in range(3):
            norm = norm_of(network.head.fuse[0], branch)
            norm.weight.mul_(1e-30)
            norm.weight[1] = 1e-25
    channels = select(network, 1e-20).channels
    assert channels.stages[3][1] == (16, 0)
    assert channels.head == (1, 1, 1)
    assert prune(network, 1e-20)(torch.rand(1, 3, 32, 32)).final.shape == (1, 1, 32, 32)
    everything = select(network, 10.0).channels
    assert everything.stages[4] == ((1, 0), (0, 1), (1, 0), (1,)) or all(
        sum(split) == 1 for split in everything.stages[4]
    )
    assert everything.fused == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_a_bound_of_parameters_is_kept_and_used(share: float) -> None:
    network = trained()
    bound = round(share * parameters_of(network))
    threshold = threshold_for(network, bound)
    assert parameters_of(prune(network, threshold)) <= bound
    if share < 1:
        weakest = 0.999 * threshold
        assert parameters_of(prune(network, weakest)) > bound


@pytest.mark.parametrize("emptied", ["fine_share", "pruned"])
def test_a_bound_is_kept_where_a_branch_is_empty(emptied: str) -> None:
    if emptied == "fine_share":
        network = trained(fine_share=1.0)
    else:
        whole = trained()
        silence(block_of(whole, 3, 1).units[1], 1, list(range(16)))
        silence(whole.head.fuse[1], 0, list(range(5)))
        network = prune(whole, 1e-20)
        assert network.channels.stages[3][1] == (16, 0)
    bound = round(0.6 * parameters_of(network))
    left = prune(network, threshold_for(network, bound))
    assert parameters_of(left) <= bound
    assert left(torch.rand(1, 3, 32, 32)).final.shape == (1, 1, 32, 32)


def test_a_bound_is_kept_where_a_scale_of_the_head_is_empty() -> None:
    published = CSNetChannels.published(8)
    empty = replace(published, head=(0, 10, 10), dilated=((0,) * 5, *published.dilated[1:]))
    network = trained(base_width=None, channels=empty)
    bound = parameters_of(network) // 2
    left = prune(network, threshold_for(network, bound))
    assert parameters_of(left) <= bound
    assert left.channels.head[0] == 0


def test_scales_of_an_empty_branch_are_of_the_networks_device_and_type() -> None:
    with torch.device("meta"):
        (unit, *_) = units_of(CSNet(fine_share=1.0).double().stages[1][0].units)
    fine, coarse = scales_of(unit)
    assert (coarse.shape, coarse.device, coarse.dtype) == ((0,), fine.device, fine.dtype)


def test_a_bound_that_is_met_leaves_the_threshold() -> None:
    assert threshold_for(trained(), 10**6, 1e-3) == 1e-3


def test_a_bound_that_no_network_meets_is_refused() -> None:
    with pytest.raises(NetworkError, match="at most 10 parameters"):
        threshold_for(trained(), 10)
