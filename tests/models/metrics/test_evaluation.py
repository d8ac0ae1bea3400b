"""What an evaluation takes, keeps, and gives."""

from __future__ import annotations

import tracemalloc
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import pytest

import models.metrics
from models.errors import EvaluationError
from models.metrics import Curves, Evaluation, ImageScores, SetScores
from tests.models.metrics.examples import Image, blurred, defects, noise

PAIRS = [(blurred(mask, seed), mask) for seed, mask in enumerate(defects(40, 60, seed) for seed in range(6))]


def _evaluation(pairs: list[tuple[Image, Image]]) -> Evaluation:
    evaluation = Evaluation()
    for prediction, mask in pairs:
        evaluation.add(prediction, mask)
    return evaluation


@pytest.mark.parametrize(
    ("prediction", "mask", "message"),
    [
        pytest.param(
            np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8),
            r"expected a map \(H, W\) uint8, got \(4, 4, 3\) uint8", id="colour map",
        ),
        pytest.param(
            np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8),
            r"expected a mask \(H, W\) uint8, got \(4, 4, 1\) uint8", id="mask with a channel",
        ),
        pytest.param(
            np.zeros((4, 4)), np.zeros((4, 4), np.uint8),
            r"expected a map \(H, W\) uint8, got \(4, 4\) float64", id="floating map",
        ),
        pytest.param(
            np.zeros((4, 4), np.uint8), np.zeros((4, 4), bool),
            r"expected a mask \(H, W\) uint8, got \(4, 4\) bool", id="boolean mask",
        ),
        pytest.param(
            np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8),
            r"expected a map of the mask's size \(5, 4\), got a map of \(4, 5\)", id="sizes that differ",
        ),
        pytest.param(
            np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8),
            r"expected a map of at least one pixel, got \(0, 5\)", id="no pixel",
        ),
        pytest.param(
            None, np.zeros((4, 4), np.uint8),
            r"expected a map \(H, W\) uint8, got NoneType", id="a file that was not read",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_and_not_counted(prediction: Any, mask: Any, message: str) -> None:
    evaluation = _evaluation(PAIRS[:1])
    with pytest.raises(EvaluationError, match=message):
        evaluation.add(prediction, mask)
    assert evaluation.scores() == _evaluation(PAIRS[:1]).scores()


def test_nothing_added_has_no_scores() -> None:
    for ask in (Evaluation().scores, Evaluation().curves):
        with pytest.raises(EvaluationError, match="expected at least one map and its mask, got none"):
            ask()


def test_one_image_is_a_set_of_one() -> None:
    evaluation = Evaluation()
    of_image = evaluation.add(*PAIRS[0])
    of_set = evaluation.scores()
    assert of_set.images == 1
    for field in fields(ImageScores):
        assert getattr(of_set, field.name) == pytest.approx(getattr(of_image, field.name)), field.name


def test_figures_of_a_set_are_means_but_maxima_are_of_the_mean_curve() -> None:
    evaluation = Evaluation()
    images = [evaluation.add(*pair) for pair in PAIRS]
    scores, curves = evaluation.scores(), evaluation.curves()
    for field in fields(ImageScores):
        if field.name not in {"e_max", "f_max"}:
            mean = np.mean([getattr(image, field.name) for image in images], axis=0)
            assert getattr(scores, field.name) == pytest.approx(mean), field.name
    assert scores.e_max == curves.e.max() < np.mean([image.e_max for image in images])
    assert scores.f_max == curves.f.max() < np.mean([image.f_max for image in images])
    assert scores.e_mean == pytest.approx(curves.e.mean())
    assert scores.f_mean == pytest.approx(curves.f.mean())


def test_figures_are_plain_numbers() -> None:
    evaluation = _evaluation(PAIRS[:2])
    for scores in (evaluation.scores(), evaluation.add(*PAIRS[2])):
        for value in astuple(scores):
            values = value if isinstance(value, tuple) else (value,)
            assert all(type(number) in {float, int} for number in values)


def test_boundary_figures_by_pixel_and_their_mean() -> None:
    scores = _evaluation(PAIRS).scores()
    assert len(scores.boundary_f_by_px) == len(scores.boundary_iou_by_px) == 5
    assert scores.boundary_f == pytest.approx(np.mean(scores.boundary_f_by_px))
    assert scores.boundary_iou == pytest.approx(np.mean(scores.boundary_iou_by_px))
    assert list(scores.boundary_f_by_px) == sorted(scores.boundary_f_by_px)


def test_what_is_given_is_left_as_it_was_and_not_kept() -> None:
    prediction, mask = PAIRS[0][0].copy(), PAIRS[0][1].copy()
    prediction.flags.writeable = mask.flags.writeable = False
    evaluation = Evaluation()
    evaluation.add(prediction, mask)
    curves = evaluation.curves()
    curves.f[:] = 7
    assert evaluation.curves().f.max() <= 1


def test_the_same_pair_scores_the_same_bits_wherever_it_lies_in_memory() -> None:
    prediction, mask = PAIRS[0]
    scores = set()
    others = []
    for offset in range(200):
        buffer = np.empty(mask.size + 64, np.uint8)
        moved = buffer[offset % 64 :][: mask.size].reshape(mask.shape)
        moved[:] = mask
        scores.add(Evaluation().add(prediction, moved))
        others.append(bytearray(37 * offset))
    assert len(scores) == 1


def test_memory_does_not_grow_with_the_set() -> None:
    prediction, mask = noise(100, 100, 0), defects(100, 100, 0)
    evaluation = _evaluation([(prediction, mask)])
    tracemalloc.start()
    try:
        for _ in range(30):
            evaluation.add(prediction, mask)
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One map alone holds 10,000 bytes.
    assert kept < 30_000


def test_curves_rise_and_fall_as_thresholds_do() -> None:
    curves = _evaluation(PAIRS).curves()
    for field in fields(Curves):
        curve = getattr(curves, field.name)
        assert curve.shape == (256,)
        assert curve.dtype == np.float64
    assert curves.recall[0] == 1
    assert (np.diff(curves.recall) <= 0).all()


def test_public_names() -> None:
    assert sorted(models.metrics.__all__) == models.metrics.__all__
    assert {field.name for field in fields(SetScores)} - {field.name for field in fields(ImageScores)} == {
        "images"
    }
