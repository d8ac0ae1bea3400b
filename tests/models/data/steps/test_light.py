from __future__ import annotations

import numpy as np
import pytest

from models.data.steps import ContrastBrightness, GaussianBlur, LightGradient, TrainingPair
from tests.models.data.steps.pairs import numbered_pair


def test_contrast_and_brightness_span_the_published_ranges() -> None:
    pair = TrainingPair(np.array([[0, 100]], np.float32), np.zeros((1, 2), np.float32))
    generator = np.random.default_rng(4)
    only_up = ContrastBrightness(min_brightness=0, max_brightness=0)
    factors = [float(only_up.apply(pair, generator).image[0, 1]) / 100 for _ in range(400)]
    assert 0.5 <= min(factors) < 0.52
    assert 1.48 < max(factors) <= 1.5
    bright = TrainingPair(np.full((1, 1), 100, np.float32), np.zeros((1, 1), np.float32))
    shift = ContrastBrightness(min_contrast=1, max_contrast=1)
    levels = {float(shift.apply(bright, generator).image[0, 0]) - 100 for _ in range(1000)}
    assert levels == set(range(-20, 20))


def test_levels_are_clipped_and_the_mask_stays() -> None:
    pair = numbered_pair(16, 16)
    lit = ContrastBrightness(min_contrast=1.5, max_brightness=40, min_brightness=40).apply(
        pair, np.random.default_rng(1)
    )
    assert lit.image.max() == 255
    assert lit.image.min() == 40
    assert lit.mask is pair.mask


def test_light_falls_off_in_every_direction_and_half_of_the_time() -> None:
    pair = TrainingPair(np.full((40, 60), 100, np.float32), np.zeros((40, 60), np.float32))
    generator = np.random.default_rng(2)
    lit = [LightGradient().apply(pair, generator) for _ in range(400)]
    assert all(result.mask is pair.mask for result in lit)
    changed = [result.image for result in lit if np.ptp(result.image)]
    assert len(changed) / len(lit) == pytest.approx(0.5, abs=0.08)
    slopes = np.array([(image[-1, 30] - image[0, 30], image[20, -1] - image[20, 0]) for image in changed])
    assert (slopes.min(axis=0) < -50).all()
    assert (slopes.max(axis=0) > 50).all()
    assert np.hypot(*slopes.T).max() < 61
    assert all(float(image.mean()) == pytest.approx(100, abs=0.1) for image in changed)


def test_one_image_in_ten_is_blurred_by_one_of_four_kernels() -> None:
    spot = np.zeros((31, 31), np.float32)
    spot[15, 15] = 255
    pair, generator = TrainingPair(spot, spot / 255), np.random.default_rng(5)
    widths = []
    for _ in range(2000):
        blurred = GaussianBlur().apply(pair, generator)
        assert blurred.mask is pair.mask
        widths.append(int((blurred.image[15] > 0).sum()))
    assert set(widths) == {1, 3, 5, 7, 9}
    assert sum(width > 1 for width in widths) / len(widths) == pytest.approx(0.1, abs=0.02)
