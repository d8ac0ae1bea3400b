from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.losses import EdgeHoldLoss, HybridLoss, ScfnetLoss, TileLoss
from models.networks.outputs import SaliencyOutputs
from models.training.criterion import Criterion, DiceTerm, EdgeHoldTerm, HybridTerm, TileTerm


@pytest.fixture
def outputs() -> SaliencyOutputs:
    torch.manual_seed(2)
    return SaliencyOutputs(torch.randn(2, 1, 32, 32), tuple(torch.randn(3, 2, 1, 32, 32)))


@pytest.fixture
def masks() -> Tensor:
    masks = torch.zeros(2, 1, 32, 32)
    masks[:, :, 8:20, 6:28] = 1
    return masks


def test_terms_are_the_losses_that_they_name(outputs: SaliencyOutputs, masks: Tensor) -> None:
    weights = (1.0, 0.5, 0.25, 0.125)
    pairs = [
        (HybridTerm(), HybridLoss(1, 0, 1)),
        (HybridTerm(ssim=1, ssim_padding="reflect"), HybridLoss(1, 1, 1, ssim_padding="reflect")),
        (HybridTerm(map_weights=weights), HybridLoss(1, 0, 1, map_weights=weights)),
        (DiceTerm(), ScfnetLoss()),
        (DiceTerm(boundary_weight=0, map_weights=()), ScfnetLoss(0, None)),
        (EdgeHoldTerm(saliency_share=1), EdgeHoldLoss(1)),
        (TileTerm(), TileLoss()),
    ]
    for term, loss in pairs:
        assert torch.equal(Criterion((term,))(outputs, masks), loss(outputs, masks))


def test_terms_and_the_penalty_add_up(outputs: SaliencyOutputs, masks: Tensor) -> None:
    terms = (HybridTerm(weight=0.5), DiceTerm(weight=2), EdgeHoldTerm(attention_penalty=True))
    single = [float(Criterion((term,))(outputs, masks)) for term in terms]
    assert float(Criterion(terms)(outputs, masks, torch.tensor(0.25))) == pytest.approx(sum(single) + 0.25)


def test_outlines_thin_over_a_phase_as_over_69_epochs() -> None:
    criterion = Criterion((DiceTerm(), HybridTerm()))
    loss = criterion.losses[0]
    assert isinstance(loss, ScfnetLoss)
    found = []
    for step in range(690):
        criterion.set_progress(step, 690)
        found.append(loss.thickness_px)
    assert [found.count(px) for px in (13, 11, 9, 7, 5, 3, 1)] == [90, 100, 100, 100, 100, 100, 100]


def test_the_penalty_is_wanted_where_a_term_says_so() -> None:
    assert Criterion((HybridTerm(), EdgeHoldTerm(attention_penalty=True))).wants_penalty
    assert not Criterion((EdgeHoldTerm(),)).wants_penalty


def test_the_penalty_has_the_weight_of_its_term(outputs: SaliencyOutputs, masks: Tensor) -> None:
    whole, half = (
        Criterion((EdgeHoldTerm(weight=weight, attention_penalty=True),))(outputs, masks, torch.tensor(0.25))
        for weight in (1.0, 0.5)
    )
    assert float(half) == pytest.approx(float(whole) / 2)
