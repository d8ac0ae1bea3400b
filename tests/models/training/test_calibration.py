from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from models.data.folders import Sample
from models.data.normalisation import NORMALISATIONS
from models.errors import TrainingError
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.training.calibration import gate_threshold
from models.training.recipe import GateCalibration

STEEL = NORMALISATIONS["steel"]


class Brightness(SaliencyNetwork):
    """Takes bright pixels for a defect: the logit is the normalised level."""

    size_multiple = 1

    def saliency(self, images: torch.Tensor) -> SaliencyOutputs:
        return SaliencyOutputs(images)


def sample(level: int, marked_px: int = 0) -> Sample:
    mask = np.zeros((256, 256), np.uint8)
    mask.flat[:marked_px] = 255
    return Sample(f"{level}", np.full((256, 256), level, np.uint8), mask)


def logit(level: float) -> float:
    return float(STEEL(torch.full((1, 1, 1), level), 1))


def threshold(samples: Sequence[Sample], **shares: float) -> float:
    calibration = GateCalibration(**shares)
    return gate_threshold(Brightness(1), samples, calibration, STEEL, torch.device("cpu"))


CLEAN = [sample(level) for level in range(20, 120, 10)]


def test_a_share_of_the_clean_passes_where_every_defect_does() -> None:
    found = threshold([*CLEAN, sample(200, 30), sample(150, 900)], clean_share=0.2)
    assert logit(90) < found < logit(100)


def test_it_falls_to_the_least_defect_and_leaves_shreds_out() -> None:
    found = threshold([*CLEAN, sample(200, 30), sample(60, 900), sample(30, 23)], clean_share=0.2)
    assert logit(60) - 1e-5 <= found <= logit(60)


def test_some_defects_may_be_given_up() -> None:
    defects = [sample(level, 900) for level in (40, 130, 140, 150, 160)]
    found = threshold([*CLEAN, *defects], clean_share=0.0, missed_share=0.25)
    assert logit(110) - 1e-5 <= found <= logit(110)


@pytest.mark.parametrize("samples", [CLEAN, [sample(200, 30)]], ids=["clean", "defective"])
def test_both_kinds_are_needed(samples: list[Sample]) -> None:
    with pytest.raises(TrainingError, match="needs held-out samples of both kinds"):
        threshold(samples)
