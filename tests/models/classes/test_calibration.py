from __future__ import annotations

import numpy as np
import pytest

from models.classes.calibration import (
    MOST_CONFIDENCE,
    calibration_error,
    choose_threshold,
    fit_temperature,
    is_named,
    probabilities,
    reliability,
)


def test_shares_sum_to_one_and_flatten_with_temperature() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [2.0, 1.0, 0.0]])
    sharp, flat = probabilities(logits), probabilities(logits, 5.0)
    assert sharp.sum(axis=1) == pytest.approx([1, 1])
    assert flat[1].max() < sharp[1].max()
    assert sharp[1] == pytest.approx([0.6652, 0.2447, 0.0900], abs=1e-4)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float) -> None:
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 3, (4000, 4))
    shares = probabilities(logits, true_temperature)
    targets = np.array([generator.choice(4, p=row) for row in shares])
    assert fit_temperature(logits, targets) == pytest.approx(true_temperature, rel=0.1)


@pytest.mark.parametrize(
    ("right", "precision", "threshold"),
    [
        ([True, True, True, True], 0.97, 0.6),
        ([True, True, True, False], 0.97, 0.7),
        ([True, True, False, False], 0.6, 0.7),
        ([False, False, False, False], 0.97, MOST_CONFIDENCE),
        ([False, True, True, True], 0.75, 0.6),
    ],
)
def test_the_threshold_gives_the_precision(right: list[bool], precision: float, threshold: float) -> None:
    confidences = np.array([0.9, 0.8, 0.7, 0.6])
    assert choose_threshold(confidences, np.array(right), precision) == pytest.approx(threshold)


@pytest.mark.parametrize(
    "confidences", [(0.9, 0.5, 0.5), (0.9, 0.5346, 0.5342), (0.9, 0.5346, 0.5336)], ids=str
)
def test_the_threshold_names_no_wrong_one_that_is_said_as_sure(confidences: tuple[float, ...]) -> None:
    sure, right = np.array(confidences), np.array([True, True, False])
    threshold = choose_threshold(sure, right, 0.97)
    assert right[is_named(sure, threshold)].all()
    assert is_named(sure, threshold)[0]


def test_reliability_and_its_error() -> None:
    confidences = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55, 1.0])
    bins = reliability(confidences, np.array([True, True, True, False, False, True, True]))
    assert [one.count for one in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 5]
    assert (bins[5].accuracy, bins[5].confidence) == (0.5, 0.55)
    assert (bins[9].accuracy, bins[9].confidence) == (0.8, 0.96)
    assert calibration_error(bins) == pytest.approx((2 * 0.05 + 5 * 0.16) / 7, abs=1e-4)
    assert calibration_error(reliability(np.array([]), np.array([], np.bool_))) == 0
