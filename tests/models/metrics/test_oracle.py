"""Figures known beforehand, so that the metrics are checked where PySODMetrics is not installed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models.metrics import Evaluation
from tests.models.metrics.examples import FULL, HALF, MAP_A, MAP_B, MASK_A, MASK_B, ZEROS, Image

COLUMNS = (
    "mae", "s_measure", "weighted_f", "f_adaptive", "f_mean", "f_max", "e_adaptive", "e_mean", "e_max",
    "dice_mean", "iou_mean",
)  # fmt: skip

ROWS = {
    "A": ([(MAP_A, MASK_A)],
          (.230354, .714796, .598775, .765625, .600255, .768473, .890980, .697501, .890980,
           .606160, .461104)),
    "B": ([(MAP_B, MASK_B)],
          (.191917, .692998, .556549, .928571, .642225, .928571, .966865, .693790, .975024,
           .642235, .518738)),
    "A and B": ([(MAP_A, MASK_A), (MAP_B, MASK_B)],
                (.211136, .703897, .577662, .847098, .621240, .847098, .928923, .695646, .933002,
                 .624198, .489921)),
    "the mask itself": ([(MASK_A, MASK_A)],
                        (0, 1, 1, 1, .997275, 1, 1.003922, 1.000980, 1.003922, .997656, .997070)),
    "A, empty mask": ([(MAP_A, ZEROS)], (.325804, .674196, 0, 0, 0, 0, .752941, .676011, 1, 0, 0)),
    "zeros, empty mask": ([(ZEROS, ZEROS)], (0, 1, 0, 0, 0, 0, 0, 1, 1.003922, 0, 0)),
    "A, full mask": ([(MAP_A, FULL)],
                     (.674196, .325804, .720448, .590909, .605508, 1, .250980, .327911, 1.003922,
                      .452980, .326630)),
    "zeros": ([(ZEROS, MASK_A)],
              (.25, .375, 0, .302326, .001181, .302326, .250980, .250980, .250980, .001563, .000977)),
    "all 128": ([(HALF, MASK_A)],
                (.500980, .399527, .286851, 0, .152344, .302326, .250980, .250980, .250980,
                 .201563, .125977)),
}  # fmt: skip


@pytest.mark.parametrize(("pairs", "expected"), ROWS.values(), ids=ROWS)
def test_published_figures(pairs: Sequence[tuple[Image, Image]], expected: Sequence[float]) -> None:
    evaluation = Evaluation()
    for prediction, mask in pairs:
        evaluation.add(prediction, mask)
    scores = evaluation.scores()
    assert [getattr(scores, name) for name in COLUMNS] == pytest.approx(expected, abs=5.1e-7)


@pytest.mark.parametrize(
    ("prediction", "mask", "dice", "iou", "mae_raw"),
    [
        pytest.param(MAP_A, MASK_A, 0.765625, 0.620253, 0.231587, id="A"),
        pytest.param(HALF, MASK_A, 0.4, 0.25, 0.500980, id="a constant map is over 127"),
        pytest.param(HALF - 1, MASK_A, 0.0, 0.0, 0.499020, id="a constant map at 127 finds nothing"),
        pytest.param(ZEROS, ZEROS, 1.0, 1.0, 0.0, id="nothing to find and nothing found"),
        pytest.param(MASK_A, ZEROS, 0.0, 0.0, 0.25, id="found where nothing is"),
    ],
)
def test_maps_as_they_are(prediction: Image, mask: Image, dice: float, iou: float, mae_raw: float) -> None:
    scores = Evaluation().add(prediction, mask)
    assert (scores.dice, scores.iou, scores.mae_raw) == pytest.approx((dice, iou, mae_raw), abs=5.1e-7)


def test_a_mask_is_foreground_over_128() -> None:
    scores = Evaluation().add(MASK_A, (MASK_A // 255 * 129).astype("uint8"))
    assert scores.iou == scores.boundary_iou == 1.0
    assert Evaluation().add(ZEROS, HALF).iou == 1.0
