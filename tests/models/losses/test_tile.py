from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.losses import TileLoss, tile_logits
from models.losses.tile import LEAST_DEFECT_PX, PEAK_PX
from models.networks.outputs import SaliencyOutputs


def maps(*bright_px: int) -> Tensor:
    """Maps of 32 x 32, -4 all over but for so many pixels of 2."""
    made = torch.full((len(bright_px), 1, 32, 32), -4.0, dtype=torch.float64)
    for index, count in enumerate(bright_px):
        made[index].view(-1)[:count] = 2
    return made


def masks(*marked_px: int) -> Tensor:
    return (maps(*marked_px) > 0).double()


def test_a_tile_is_as_its_largest_logits_are() -> None:
    found = tile_logits(maps(0, PEAK_PX // 2, PEAK_PX, 900))
    torch.testing.assert_close(found, torch.tensor([-4.0, -1.0, 2.0, 2.0], dtype=torch.float64))


def test_a_map_smaller_than_the_peak_is_its_mean() -> None:
    assert float(tile_logits(torch.arange(4.0).view(1, 1, 2, 2))) == 1.5


def test_the_loss_is_the_cross_entropy_of_whether_there_is_a_defect() -> None:
    logits = maps(PEAK_PX, 0)
    found = TileLoss()(SaliencyOutputs(logits), masks(LEAST_DEFECT_PX, 0))
    expected = functional.binary_cross_entropy_with_logits(
        torch.tensor([2.0, -4.0]), torch.tensor([1.0, 0.0])
    )
    assert float(found) == pytest.approx(float(expected))


def test_a_tile_with_a_shred_of_a_defect_teaches_nothing() -> None:
    logits = maps(PEAK_PX, 0).requires_grad_()
    loss = TileLoss()(SaliencyOutputs(logits), masks(LEAST_DEFECT_PX - 1, 1))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    targets = torch.zeros(2, 1, 12, 12, dtype=torch.float64)
    targets[0, :, 2:9, 2:9] = 1
    assert torch.autograd.gradcheck(lambda values: TileLoss()(SaliencyOutputs(values), targets), logits)
