import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from torch import Tensor

from models.losses import EdgeHoldLoss, edge_loss, weighted_bce_loss
from models.losses.edge_hold import edges
from models.networks.outputs import SaliencyOutputs
from tests.models.losses.oracle import oracle_maps, random_logits, random_targets

EDGE, EDGE_ROUNDING = 1.8348777, 5e-3
"""On the ramp the Laplacian is zero but for rounding, which the logarithm shows: the reference's float32
differs from float64, and from float32 summed in another order, by this much."""


def test_values_are_those_of_the_reference() -> None:
    probabilities, targets = oracle_maps()
    outputs = SaliencyOutputs(torch.logit(probabilities))
    assert float(weighted_bce_loss(outputs.final, targets)) == pytest.approx(0.8678864, abs=1e-6)
    assert float(edge_loss(probabilities, targets)) == pytest.approx(EDGE, abs=EDGE_ROUNDING)
    assert float(EdgeHoldLoss()(outputs, targets)) == pytest.approx(1.1579838, abs=0.3 * EDGE_ROUNDING)


def test_the_edge_term_is_that_of_its_definition() -> None:
    probabilities, targets = (
        maps[0, 0].numpy() for maps in (random_logits().detach().sigmoid(), random_targets())
    )
    laplacian = np.full((3, 3), -1.0)
    laplacian[1, 1] = 8
    found, truth = (
        np.maximum(np.tanh(convolve(plane, laplacian, mode="constant")), 0)
        for plane in (probabilities, targets)
    )
    found = np.clip(found, 1e-7, 1 - 1e-7)
    expected = -(truth * np.log(found) + (1 - truth) * np.log(1 - found)).mean()
    loss = edge_loss(torch.from_numpy(probabilities)[None, None], torch.from_numpy(targets)[None, None])
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_the_first_stage_of_the_paper_has_no_edge_term() -> None:
    probabilities, targets = oracle_maps()
    loss = EdgeHoldLoss(saliency_share=1.0)(SaliencyOutputs(torch.logit(probabilities)), targets)
    assert float(loss) == pytest.approx(0.8678864, abs=1e-6)


def test_an_edge_lies_on_its_inner_side_alone() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 3:6, 3:6] = 1
    found = edges(mask)[0, 0]
    expected = mask[0, 0].bool()
    expected[4, 4] = False
    assert torch.equal(found > 0, expected)


def test_a_lost_edge_costs_no_more_than_its_clipping() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 3:6, 3:6] = 1
    assert float(edge_loss(torch.zeros_like(mask), mask)) < 8 / 81 * 17
    assert torch.isfinite(EdgeHoldLoss()(SaliencyOutputs(200 * (mask - 0.5)), 1 - mask))


def test_gradients_are_those_of_finite_differences() -> None:
    loss, targets = EdgeHoldLoss(), random_targets()

    def of_logits(logits: Tensor) -> Tensor:
        value: Tensor = loss(SaliencyOutputs(logits), targets)
        return value

    assert torch.autograd.gradcheck(of_logits, random_logits())
