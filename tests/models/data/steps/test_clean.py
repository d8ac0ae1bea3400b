from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from models.data.steps import CleanMirror, TrainingPair

SIDE = 96


def pair() -> TrainingPair:
    """A ramp with a marked bright square near a corner."""
    image = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.float32) / 2
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[4:20, 6:22] = 1
    return TrainingPair(np.where(mask > 0, 255, image).astype(np.float32), mask)


def test_what_comes_out_is_clean_and_keeps_its_distance() -> None:
    step, generator = CleanMirror(probability=1.0, margin_px=8, min_px=32), np.random.default_rng(1)
    cleaned = 0
    for _ in range(40):
        made = step.apply(pair(), generator)
        assert made.image.shape == (SIDE, SIDE)
        if made.mask.any():
            assert np.array_equal(made.image, pair().image)
            continue
        cleaned += 1
        assert made.image.max() < 255
        near = pair().image[4 - 4 : 20 + 8, 6 - 6 : 22 + 8]
        assert made.image.min() > near[near < 255].min()
    assert cleaned > 20


def test_a_mirror_adds_no_edge() -> None:
    step, generator = CleanMirror(probability=1.0, min_px=32), np.random.default_rng(2)
    steps_px = [np.abs(np.diff(step.apply(pair(), generator).image, axis=0)).max() for _ in range(10)]
    assert max(step_px for step_px in steps_px if step_px < 100) <= 0.5


@pytest.mark.parametrize(
    "unchanged",
    [
        (CleanMirror(probability=0.0), pair()),
        (CleanMirror(probability=1.0, min_px=SIDE + 1), pair()),
        (CleanMirror(probability=1.0), TrainingPair(pair().image, np.ones((SIDE, SIDE), np.float32))),
    ],
    ids=["never", "too small", "no room"],
)
def test_some_images_stay(unchanged: tuple[CleanMirror, TrainingPair]) -> None:
    step, before = unchanged
    after = step.apply(before, np.random.default_rng(3))
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_sides_are_positive() -> None:
    with pytest.raises(ValidationError):
        CleanMirror(min_px=0)
