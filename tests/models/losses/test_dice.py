import pytest
import torch

from models.losses import ScfnetLoss, dice_loss
from models.networks.outputs import SaliencyOutputs
from tests.models.losses.oracle import oracle_maps, random_logits, random_targets


def test_value_is_that_of_the_reference() -> None:
    assert float(dice_loss(*oracle_maps())) == pytest.approx(0.6657999, abs=1e-6)


def test_nothing_found_where_nothing_is_costs_nothing() -> None:
    empty = torch.zeros(2, 1, 8, 8)
    assert float(dice_loss(empty, empty)) == 0


def test_images_count_alike_whatever_their_area() -> None:
    (probabilities, targets), small = oracle_maps(), torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    small[..., 4, 4] = 1
    both = dice_loss(torch.cat([probabilities, small]), torch.cat([targets, small]))
    assert float(both) == pytest.approx(0.6657999 / 2, abs=1e-6)


def test_without_boundaries_every_map_of_a_student_learns_the_teachers_soft_map() -> None:
    soft, _ = oracle_maps()
    student = torch.zeros_like(soft).requires_grad_()
    loss = ScfnetLoss(boundary_weight=0)(SaliencyOutputs(student, (student, student, student)), soft)
    undecided = dice_loss(torch.full_like(soft, 0.5), soft)
    assert float(loss.detach()) == pytest.approx((1 + 0.5 + 0.25 + 0.125) * float(undecided), abs=1e-6)
    loss.backward()
    assert student.grad is not None


def test_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(
        lambda logits: dice_loss(logits.sigmoid(), random_targets()), random_logits()
    )
