import os
from pathlib import Path

import pytest

from models.segmenter import Segmenter
from tests.models.public_scores import public_scores

DATA = os.environ.get("COILWATCH_DATA")


@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="COILWATCH_DATA is not set")
def test_the_shipped_network_finds_the_defects_of_the_public_test_images() -> None:
    scores = public_scores(Path(str(DATA)) / "sd-saliency-900" / "test", Segmenter.open())
    # Just below what docs/models.md says; processors differ in the last digits.
    assert scores.iou >= 0.69
    assert scores.s_measure >= 0.83
    assert scores.weighted_f >= 0.74
    assert scores.mae_raw <= 0.038
