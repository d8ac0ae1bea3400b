from __future__ import annotations

import numpy as np
import pytest

from models.data.steps import CopyPaste, Elastic, Step, TrainingPair
from models.data.steps.shape import PASTE_MARGIN_PX

DRAWS = 300


def spot(side: int = 80) -> TrainingPair:
    """A bright marked square on a dark ground."""
    mask = np.zeros((side, side), np.float32)
    mask[20:30, 40:56] = 1
    return TrainingPair(50 + 100 * mask, mask)


def applied(step: Step, pair: TrainingPair) -> list[TrainingPair]:
    generator = np.random.default_rng(3)
    return [step.apply(pair, generator) for _ in range(DRAWS)]


def test_elastic_moves_image_and_mask_alike_by_at_most_the_shift() -> None:
    side = 120
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    inner = np.s_[30:90, 30:90]
    moved = applied(Elastic(probability=1, max_shift_px=6), TrainingPair(rows, columns))
    shifts = [np.stack([pair.image - rows, pair.mask - columns])[(slice(None), *inner)] for pair in moved]
    # Between the points of its grid a cubic may overshoot them a little.
    assert 4 < max(float(np.abs(shift).max()) for shift in shifts) < 9
    assert max(float(np.abs(np.diff(shift, axis=-1)).max()) for shift in shifts) < 1
    assert abs(float(np.mean(shifts))) < 0.5
    for pair in applied(Elastic(probability=1), spot()):
        assert np.abs(pair.image - (50 + 100 * pair.mask)).max() < 1e-3


def test_elastic_spares_half_of_the_images() -> None:
    pair = spot()
    share = sum(result is pair for result in applied(Elastic(), pair)) / DRAWS
    assert share == pytest.approx(0.5, abs=0.08)


def test_a_copy_has_the_look_of_the_defect_and_leaves_it_where_it_is() -> None:
    pair = spot()
    areas = []
    for result in applied(CopyPaste(probability=1), pair):
        assert (result.mask >= pair.mask).all()
        areas.append(float(result.mask.sum() / pair.mask.sum()))
        marked = result.mask == 1
        assert (result.image[marked & ~(pair.mask == 1)] > 100).all()
        assert set(np.unique(result.mask)) == {0.0, 1.0}
    assert max(areas) == 2
    assert np.mean(areas) > 1.8


def test_a_copy_changes_nothing_far_from_itself() -> None:
    texture = np.random.default_rng(1).uniform(0, 255, (80, 80)).astype(np.float32)
    pair = TrainingPair(texture, spot().mask)
    far = 6 * PASTE_MARGIN_PX
    for result in applied(CopyPaste(probability=1), pair)[:20]:
        changed = np.argwhere(result.image != texture)
        copies = np.argwhere((result.mask == 1) & (np.abs(result.image - texture) > 0))
        wrapped = np.abs(changed[:, None] - copies[None])
        assert np.minimum(wrapped, 80 - wrapped).max(axis=2).min(axis=1).max() <= far


@pytest.mark.parametrize("mask_level", [0.0, 1.0], ids=["clean", "full"])
def test_nothing_is_pasted_from_clean_images_or_into_full_ones(mask_level: float) -> None:
    pair = TrainingPair(spot().image, np.full((80, 80), mask_level, np.float32))
    assert all(result is pair for result in applied(CopyPaste(probability=1), pair))
