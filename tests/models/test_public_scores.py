from pathlib import Path

import pytest

from models.segmenter import Segmenter
from tests.models.public_scores import public_scores


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "iou", "s_measure", "weighted_f", "mae_raw"),
    [
        ("csnet-x1", 0.70, 0.84, 0.75, 0.0365),
        ("coilnet-m", 0.765, 0.869, 0.833, 0.0240),
        ("coilnet-s", 0.753, 0.861, 0.824, 0.0256),
    ],
)
def test_shipped_networks_find_the_defects_of_the_public_test_images(
    data_dir: Path, model: str, *, iou: float, s_measure: float, weighted_f: float, mae_raw: float
) -> None:
    scores = public_scores(data_dir / "sd-saliency-900" / "test", Segmenter.open(model))
    # Just below what docs/models.md says; processors differ in the last digits.
    assert scores.iou >= iou
    assert scores.s_measure >= s_measure
    assert scores.weighted_f >= weighted_f
    assert scores.mae_raw <= mae_raw
