import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import TrainingError
from models.losses import StructureLoss, outline_weights, structure_loss
from models.networks.outputs import SaliencyOutputs
from tests.models.losses.oracle import oracle_maps, random_logits, random_targets


def reference(logits: Tensor, targets: Tensor) -> float:
    """F3Net's loss as its paper states it, by pooling and loops over images."""
    losses = []
    for logit, target in zip(logits, targets, strict=True):
        means = functional.avg_pool2d(target[None], 31, stride=1, padding=15)[0]
        weights = 1 + 5 * (means - target).abs()
        entropy = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
        probability = logit.sigmoid()
        inter = (probability * target * weights).sum()
        union = ((probability + target) * weights).sum()
        losses.append((weights * entropy).sum() / weights.sum() + 1 - (inter + 1) / (union - inter + 1))
    return float(np.mean([float(loss) for loss in losses]))


def of(logits: Tensor, targets: Tensor) -> Tensor:
    return structure_loss(logits, targets, outline_weights(targets), bce=1, iou=1)


def test_value_is_that_of_the_reference() -> None:
    probabilities, targets = oracle_maps()
    logits = torch.logit(probabilities.clamp(0.01, 0.99))
    assert float(of(logits, targets)) == pytest.approx(reference(logits, targets), abs=1e-9)
    larger = torch.randn(2, 1, 48, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    square = torch.zeros_like(larger)
    square[..., 5:30, 20:50] = 1
    assert float(of(larger, square)) == pytest.approx(reference(larger, square), abs=1e-9)


def test_pixels_at_an_outline_count_most() -> None:
    targets = torch.zeros(1, 1, 128, 128)
    targets[..., 40:88, 40:88] = 1
    weights = outline_weights(targets)[0, 0]
    assert float(weights[0, 0]) == 1
    assert float(weights[64, 64]) == pytest.approx(1, abs=1e-4)
    assert float(weights[40, 64]) == pytest.approx(1 + 5 * 15 / 31, abs=1e-6)


def test_nothing_found_where_nothing_is_costs_next_to_nothing() -> None:
    empty = torch.zeros(2, 1, 32, 32)
    assert float(of(empty - 30, empty)) == pytest.approx(0, abs=1e-6)


def test_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda logits: of(logits, random_targets()), random_logits())


def test_without_weight_of_outlines_every_pixel_counts_alike_and_clean_tiles_have_a_gradient() -> None:
    targets = torch.zeros(1, 1, 32, 32)
    targets[..., 8:20, 4:28] = 1
    logits = torch.randn(targets.shape, generator=torch.Generator().manual_seed(2))
    found = logits.sigmoid()
    overlap = ((found * targets).sum() + 1) / ((found + targets - found * targets).sum() + 1)
    expected = functional.binary_cross_entropy_with_logits(logits, targets) + 1 - overlap
    plain = StructureLoss(gamma=0.0)(SaliencyOutputs(logits, ()), targets)
    assert float(plain) == pytest.approx(float(expected), abs=1e-6)

    clean = (targets * 0 - 3).requires_grad_()
    StructureLoss(bce=0.0, gamma=0.0)(SaliencyOutputs(clean, ()), targets * 0).backward()
    assert clean.grad is not None
    assert float(clean.grad.min()) > 0


def test_maps_have_their_weights() -> None:
    logits, targets = random_logits(), random_targets()
    outputs = SaliencyOutputs(logits, (logits,))
    whole = StructureLoss(map_weights=(1.0, 0.5))(outputs, targets)
    assert float(whole.detach()) == pytest.approx(1.5 * float(of(logits, targets).detach()))
    with pytest.raises(TrainingError, match="each of 2 maps, got 3"):
        StructureLoss(map_weights=(1.0, 1.0, 1.0))(outputs, targets)
