from collections.abc import Callable

import pytest
import torch

from models.losses import HybridLoss, bce_loss, iou_loss, ssim_loss

Maps = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture
def maps() -> Maps:
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    probabilities = 0.1 + 0.8 * ((7 * rows + 3 * columns) % 32) / 31
    targets = ((rows >= 8) & (rows < 24) & (columns >= 10) & (columns < 26)).double()
    return probabilities.double()[None, None], targets[None, None]


@pytest.mark.parametrize(
    ("loss", "expected"), [(bce_loss, 0.8424888), (ssim_loss, 0.9972304), (iou_loss, 0.8)]
)
def test_values_are_those_of_the_reference(
    maps: Maps, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], expected: float
) -> None:
    assert float(loss(*maps)) == pytest.approx(expected, abs=1e-6)


def test_hybrid_on_logits_is_the_sum_of_its_parts(maps: Maps) -> None:
    probabilities, targets = maps
    logits = torch.logit(probabilities)
    assert float(HybridLoss()(logits, targets)) == pytest.approx(0.8424888 + 0.9972304 + 0.8, abs=1e-6)
    assert float(HybridLoss(bce=2, ssim=0, iou=0)(logits, targets)) == pytest.approx(2 * 0.8424888, abs=1e-6)


def test_a_perfect_map_costs_nothing() -> None:
    target = torch.zeros(1, 1, 16, 16)
    target[..., 4:9, 3:12] = 1
    assert float(iou_loss(target, target)) == 0
    assert float(ssim_loss(target, target)) == pytest.approx(0, abs=1e-6)


def test_an_empty_target_is_left_to_the_pixel_loss() -> None:
    prediction = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    loss = iou_loss(prediction, torch.zeros(1, 1, 8, 8))
    assert float(loss.detach()) == 1
    loss.backward()
    assert prediction.grad is not None
    assert not prediction.grad.any()


def test_both_empty_is_no_division_by_zero() -> None:
    empty = torch.zeros(1, 1, 8, 8)
    assert torch.isfinite(iou_loss(empty, empty))
