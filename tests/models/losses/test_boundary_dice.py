import pytest
import torch
from scipy.ndimage import maximum_filter, minimum_filter
from torch import Tensor

from models.losses import ScfnetLoss, boundary_dice_loss, boundary_thickness, dice_loss
from models.losses.boundary_dice import boundary
from models.networks.outputs import SaliencyOutputs
from tests.models.losses.oracle import oracle_maps, random_logits, random_targets

REFERENCE = {
    13: 0.2448552,
    11: 0.3072076,
    9: 0.3810021,
    7: 0.4697126,
    5: 0.5773480,
    3: 0.7134589,
    1: 0.8948103,
}


@pytest.mark.parametrize(("thickness_px", "expected"), REFERENCE.items())
def test_values_are_those_of_the_reference(thickness_px: int, expected: float) -> None:
    # The reference summed in float32, which costs sums of many like numbers their fifth digit.
    assert float(boundary_dice_loss(*oracle_maps(), thickness_px)) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("thickness_px", REFERENCE)
def test_values_are_those_of_the_definition(thickness_px: int) -> None:
    outlines = []
    for maps in oracle_maps():
        plane = maps[0, 0].numpy()
        thin = plane - minimum_filter(plane, size=3, mode="constant", cval=1.0)
        outlines.append(maximum_filter(thin, size=thickness_px, mode="constant", cval=0.0))
    found, truth = outlines
    dice = (2 * float((found * truth).sum()) + 1) / (float(found.sum()) + float(truth.sum()) + 1)
    assert float(boundary_dice_loss(*oracle_maps(), thickness_px)) == pytest.approx(1 - dice, abs=1e-12)


def test_thickness_falls_as_in_the_published_code() -> None:
    schedule = [boundary_thickness(epoch) for epoch in range(69)]
    expected = [13] * 9 + [11] * 10 + [9] * 10 + [7] * 10 + [5] * 10 + [3] * 10 + [1] * 10
    assert schedule == expected
    assert boundary_thickness(1000) == 1


def test_the_outline_lies_inside_and_never_on_the_image_border() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 0:5, 2:6] = 1
    outline = boundary(mask, 1)[0, 0]
    expected = torch.zeros(8, 8)
    expected[0:5, 2] = expected[0:5, 5] = expected[4, 2:6] = 1
    assert torch.equal(outline, expected)


def test_supervised_loss_is_dice_and_outline_with_halving_weights() -> None:
    probabilities, targets = oracle_maps()
    logits = torch.logit(probabilities)
    outputs = SaliencyOutputs(logits, (logits, logits, logits))
    loss = ScfnetLoss()
    assert float(loss(outputs, targets)) == pytest.approx(1.875 * (0.6657999 + REFERENCE[13]), abs=4e-5)
    loss.set_epoch(58)
    assert float(loss(outputs, targets)) == pytest.approx(1.875 * (0.6657999 + REFERENCE[3]), abs=4e-5)
    plain = ScfnetLoss(boundary_weight=0.0, map_weights=None)(outputs, targets)
    assert float(plain) == pytest.approx(4 * float(dice_loss(probabilities, targets)), abs=1e-6)


@pytest.mark.parametrize("epoch", [0, 40, 60])
def test_gradients_are_those_of_finite_differences(epoch: int) -> None:
    loss, targets = ScfnetLoss(map_weights=(1.0, 0.5)), random_targets()
    loss.set_epoch(epoch)

    def of_logits(logits: Tensor) -> Tensor:
        value: Tensor = loss(SaliencyOutputs(logits, (2 * logits,)), targets)
        return value

    assert torch.autograd.gradcheck(of_logits, random_logits())
