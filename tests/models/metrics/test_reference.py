"""Figure for figure what PySODMetrics gives, on maps as networks give them and on such as trip metrics up."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.data.folders import load_samples
from models.metrics import Evaluation
from models.segmenter import Segmenter
from tests.models.metrics.examples import Image, blurred, defects, noise, one_pixel
from tests.models.metrics.reference import CURVES, FIGURES, reference_of

TOLERANCE = 1e-6
NETWORK_IMAGES = 12


def _assert_same(pairs: list[tuple[Image, Image]]) -> None:
    evaluation = Evaluation()
    for prediction, mask in pairs:
        evaluation.add(prediction, mask)
    reference, scores, curves = reference_of(pairs), evaluation.scores(), evaluation.curves()
    for name, expected in reference.figures().items():
        found = getattr(scores, name)
        if math.isnan(expected):
            assert name == "s_measure"
            assert 0 <= found <= 1
        else:
            assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), name
    for name, curve in reference.curves().items():
        np.testing.assert_allclose(getattr(curves, name), curve, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def test_the_reference_has_every_figure_it_is_asked_for() -> None:
    reference = reference_of([(noise(5, 5, 0), one_pixel(5, 5, 1, 1))])
    assert set(reference.figures()) == set(FIGURES)
    assert set(reference.curves()) == set(CURVES)


@pytest.mark.parametrize("shape", [(200, 200), (64, 320), (256, 97), (16, 16)])
def test_blurred_masks(shape: tuple[int, int]) -> None:
    masks = [defects(*shape, seed) for seed in range(4)]
    _assert_same([(blurred(mask, seed), mask) for seed, mask in enumerate(masks)])


EMPTY, FULL = np.zeros((9, 13), np.uint8), np.full((9, 13), 255, np.uint8)


@pytest.mark.parametrize(
    ("prediction", "mask"),
    [
        pytest.param(noise(9, 13, 0), EMPTY, id="empty mask"),
        pytest.param(noise(9, 13, 1), FULL, id="full mask"),
        pytest.param(EMPTY, FULL, id="nothing found in a full mask"),
        pytest.param(FULL, FULL, id="all found in a full mask"),
        pytest.param(FULL, EMPTY, id="all found in an empty mask"),
        pytest.param(noise(9, 13, 2), one_pixel(9, 13, 4, 4), id="mask of one pixel"),
        pytest.param(one_pixel(9, 13, 2, 2), one_pixel(9, 13, 4, 4), id="map of one pixel"),
        pytest.param(noise(9, 13, 3), one_pixel(9, 13, 8, 12), id="mask of the last pixel"),
        pytest.param(noise(9, 13, 3), one_pixel(9, 13, 0, 0), id="mask of the first pixel"),
        pytest.param(noise(1, 13, 4), one_pixel(1, 13, 0, 4), id="one row"),
        pytest.param(noise(13, 1, 5), one_pixel(13, 1, 4, 0), id="one column"),
        pytest.param(noise(2, 2, 6), one_pixel(2, 2, 0, 0), id="four pixels"),
        pytest.param(noise(1, 1, 7), one_pixel(1, 1, 0, 0), id="one pixel, in the mask"),
        pytest.param(noise(1, 1, 8), np.zeros((1, 1), np.uint8), id="one pixel, not in the mask"),
        pytest.param(noise(7, 9, 8), noise(7, 9, 9), id="a mask of every level"),
        pytest.param(np.asfortranarray(noise(9, 13, 9)), FULL[::-1, ::-1], id="arrays that are views"),
    ],
)
def test_nasty_ones(prediction: Image, mask: Image) -> None:
    _assert_same([(prediction, mask)])


@pytest.mark.parametrize("level", range(0, 256, 5))
def test_constant_maps_round_as_the_reference_does(level: int) -> None:
    prediction = np.full((23, 31), level, np.uint8)
    for mask in (one_pixel(23, 31, 3, 3), one_pixel(23, 31, 20, 11), defects(23, 31, level)):
        _assert_same([(prediction, mask)])


def test_a_quadrant_of_one_level_in_a_map_of_many() -> None:
    for level in range(1, 255, 7):
        prediction = np.full((23, 31), level, np.uint8)
        prediction[:5, :5] = noise(5, 5, level)
        _assert_same([(prediction, one_pixel(23, 31, 3, 3))])


@pytest.mark.parametrize("times", range(1, 12))
def test_levels_that_meet_the_adaptive_threshold_exactly(times: int) -> None:
    # Twice the mean of these eight is the seventh: 2 * (1/3 + 1) / 8 = 1/3.
    eight = np.array([[0, 0, 0, 0], [0, 0, 85, 255]], np.uint8)
    for tiling in ((1, times), (times, 1)):
        prediction = np.tile(eight, tiling)
        _assert_same([(prediction, one_pixel(*prediction.shape, 1, 2))])


SIDES = st.integers(1, 9)
LEVELS = st.sampled_from([0, 1, 64, 127, 128, 129, 200, 254, 255])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Image, Image]:
    shape = (draw(SIDES), draw(SIDES))
    few_levels = draw(st.booleans())
    elements = LEVELS if few_levels else st.integers(0, 255)
    return (
        draw(arrays(np.uint8, shape, elements=elements, fill=LEVELS)),
        draw(arrays(np.uint8, shape, elements=LEVELS, fill=st.sampled_from([0, 255]))),
    )


@settings(max_examples=300)
@given(pair=pairs())
def test_any_small_image(pair: tuple[Image, Image]) -> None:
    _assert_same([pair])


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.002, 0.02, 0.2, 0.6, 0.98]))
def test_scattered_masks_whose_nearest_pixels_tie(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(8, 60, size=2))
    mask = np.where(random.random(shape) < share, 255, 0).astype(np.uint8)
    _assert_same([(noise(*shape, seed), mask)])


@pytest.mark.data
def test_real_masks_and_what_the_shipped_network_makes_of_their_images(data_dir: Path) -> None:
    samples = load_samples(data_dir / "sd-saliency-900" / "test")
    chosen = samples[:: len(samples) // NETWORK_IMAGES]
    network = Segmenter.open()
    real = [(network.segment_image(sample.image), sample.mask) for sample in chosen]
    large = [tuple(cv2.resize(image, (900, 700)) for image in real[0])]
    soft = [(blurred(sample.mask, seed), sample.mask) for seed, sample in enumerate(chosen)]
    _assert_same(real)
    _assert_same(soft)
    _assert_same([(np.asarray(image, np.uint8), np.asarray(mask, np.uint8)) for image, mask in large])
