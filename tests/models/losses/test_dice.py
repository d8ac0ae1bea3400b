import pytest
import torch
from torch import Tensor

from models.errors import TrainingError
from models.losses import DistillationLoss, dice_loss
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


def outputs_of(logits: Tensor) -> SaliencyOutputs:
    return SaliencyOutputs(logits, (logits, logits, logits))


def test_every_map_of_the_student_learns_the_teachers_soft_final_map() -> None:
    probabilities, _ = oracle_maps()
    teacher_logits = torch.logit(probabilities).requires_grad_()
    student = torch.zeros_like(probabilities).requires_grad_()
    wrong = torch.full_like(teacher_logits, 9.0)
    loss = DistillationLoss()(outputs_of(student), SaliencyOutputs(teacher_logits, (wrong, wrong, wrong)))
    soft = dice_loss(torch.full_like(probabilities, 0.5), probabilities)
    assert float(loss.detach()) == pytest.approx((1 + 0.5 + 0.25 + 0.125) * float(soft), abs=1e-6)
    loss.backward()
    assert student.grad is not None
    assert teacher_logits.grad is None


def test_gradients_are_those_of_finite_differences() -> None:
    teacher = SaliencyOutputs(torch.logit(random_targets().clamp(0.01, 0.99)))

    def of_logits(logits: Tensor) -> Tensor:
        loss: Tensor = DistillationLoss()(SaliencyOutputs(logits, (logits**2, -logits, 2 * logits)), teacher)
        return loss

    assert torch.autograd.gradcheck(
        lambda logits: dice_loss(logits.sigmoid(), random_targets()), random_logits()
    )
    assert torch.autograd.gradcheck(of_logits, random_logits())


def test_a_student_of_other_depth_needs_weights_of_its_own() -> None:
    logits = random_logits()
    with pytest.raises(TrainingError, match="each of 1 maps, got 4"):
        DistillationLoss()(SaliencyOutputs(logits), outputs_of(logits))
    assert torch.isfinite(DistillationLoss(None)(SaliencyOutputs(logits), outputs_of(logits)))
