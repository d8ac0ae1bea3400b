from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from models.evaluation.plots import LEVELS, equal_f, f_measure_svg, precision_recall_svg
from models.metrics import Evaluation
from models.metrics.confusion import F_BETA_SQUARED
from tests.models.evaluation.sets import mask_and_map


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    made = Evaluation()
    for seed in range(3):
        made.add(*reversed(mask_and_map(seed)))
    return made


def test_curves_are_well_formed_pictures_and_the_same_each_time(evaluation: Evaluation) -> None:
    curves, scores = evaluation.curves(), evaluation.scores()
    for text in (precision_recall_svg(curves), f_measure_svg(curves, scores)):
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own
        assert text.count("<path") > 10
    assert precision_recall_svg(curves) == precision_recall_svg(curves)
    assert 'href="http' not in precision_recall_svg(curves)


@pytest.mark.parametrize("level", LEVELS)
def test_the_lines_behind_the_curve_have_one_f_measure(level: float) -> None:
    recall, precision = equal_f(level)
    f = (1 + F_BETA_SQUARED) * precision * recall / (F_BETA_SQUARED * precision + recall)
    np.testing.assert_allclose(f, level)
    assert precision[0] == pytest.approx(1)
    assert recall[-1] == 1
