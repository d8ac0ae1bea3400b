from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor

from models.errors import TrainingError
from models.losses import HybridLoss, iou_loss, ssim_loss
from models.networks.outputs import SaliencyOutputs
from tests.models.losses.oracle import oracle_maps, random_logits, random_targets


@pytest.mark.parametrize(("loss", "expected"), [(ssim_loss, 0.9972304), (iou_loss, 0.8)])
def test_values_are_those_of_the_reference(loss: Callable[[Tensor, Tensor], Tensor], expected: float) -> None:
    assert float(loss(*oracle_maps())) == pytest.approx(expected, abs=1e-6)


def ssim_by_definition(first: Tensor, second: Tensor, mode: Literal["constant", "reflect"]) -> float:
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(plane: np.ndarray) -> np.ndarray:
        padded = np.pad(plane, 5, mode=mode)
        return convolve2d(padded, window, mode="valid")

    x, y = first[0, 0].numpy(), second[0, 0].numpy()
    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    above = (2 * mean_x * mean_y + 1e-4) * (2 * covariance + 9e-4)
    below = (mean_x**2 + mean_y**2 + 1e-4) * (variance_x + variance_y + 9e-4)
    return float((above / below).mean())


def test_structural_similarity_is_that_of_its_definition_with_either_padding() -> None:
    maps = oracle_maps()
    assert float(ssim_loss(*maps)) == pytest.approx(1 - ssim_by_definition(*maps, "constant"), abs=1e-12)
    assert float(ssim_loss(*maps, "reflect")) == pytest.approx(
        1 - ssim_by_definition(*maps, "reflect"), abs=1e-12
    )


def test_hybrid_is_the_weighted_sum_over_the_maps_of_its_parts() -> None:
    probabilities, targets = oracle_maps()
    logits = torch.logit(probabilities)
    whole = 0.8424888 + 0.9972304 + 0.8
    one, two = SaliencyOutputs(logits), SaliencyOutputs(logits, (logits,))
    assert float(HybridLoss()(one, targets)) == pytest.approx(whole, abs=1e-6)
    assert float(HybridLoss()(two, targets)) == pytest.approx(2 * whole, abs=1e-6)
    weighted = HybridLoss(map_weights=(1.0, 0.25))
    assert float(weighted(two, targets)) == pytest.approx(1.25 * whole, abs=1e-6)
    assert float(HybridLoss(bce=2, ssim=0, iou=0)(one, targets)) == pytest.approx(2 * 0.8424888, abs=1e-6)


def test_a_weight_for_every_map_or_none() -> None:
    logits, targets = random_logits(), random_targets()
    with pytest.raises(TrainingError, match="a weight for each of 2 maps, got 3"):
        HybridLoss(map_weights=(1, 1, 1))(SaliencyOutputs(logits, (logits,)), targets)


def test_half_precision_logits_are_judged_in_full() -> None:
    logits = random_logits().detach().bfloat16()
    loss = HybridLoss()(SaliencyOutputs(logits), random_targets().float())
    assert loss.dtype == torch.float32
    exact = HybridLoss()(SaliencyOutputs(logits.double()), random_targets())
    assert float(loss) == pytest.approx(float(exact), abs=1e-5)


@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_gradients_are_those_of_finite_differences(padding: Literal["zero", "reflect"]) -> None:
    loss = HybridLoss(ssim_padding=padding, map_weights=(1.0, 0.5))
    targets = random_targets()

    def of_logits(logits: Tensor) -> Tensor:
        loss_value: Tensor = loss(SaliencyOutputs(logits, (2 * logits,)), targets)
        return loss_value

    assert torch.autograd.gradcheck(of_logits, random_logits())


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
