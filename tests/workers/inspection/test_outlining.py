from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workers.coil.outlines import area_mm2, contains, within_reach
from workers.inspection.outlining import TOLERANCES_PX, outline_of

SIDE_PX = 96
REACH_PX = 4 * TOLERANCES_PX[-1]
"""Each of two outlines may run beside its pixels, twice by the tolerance: points are thinned out again."""
Mask = NDArray[np.bool_]

seeds = st.integers(0, 2**32 - 1)
roughness_px = st.sampled_from((0.7, 1.5, 3.0))
most_points = st.sampled_from((4, 8, 12, 24, 48))


def jagged(seed: int, roughness_px: float) -> Mask:
    """A large region `(SIDE_PX, SIDE_PX)` with a border of noise."""
    noise = np.random.default_rng(seed).standard_normal((SIDE_PX, SIDE_PX))
    smooth = cv2.GaussianBlur(noise, (0, 0), roughness_px)
    return largest(smooth > 0)


def largest(mask: Mask) -> Mask:
    """The largest part of a mask that is connected."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def outlined(mask: Mask, most_points: int) -> NDArray[np.float64]:
    """Outline of a region that lies anywhere in a mask."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    outline = outline_of(mask[top : top + height, left : left + width], most_points)
    assert 3 <= len(outline) <= most_points
    assert (outline >= 0).all()
    assert (outline <= (width, height)).all()
    return np.add(outline, (left, top), dtype=np.float64)


def middles(mask: Mask) -> NDArray[np.float64]:
    return np.argwhere(mask)[:, ::-1].astype(np.float64) + 0.5


@settings(max_examples=40)
@given(seed=seeds, most=most_points)
def test_an_outline_too_jagged_for_its_points_holds_every_pixel(seed: int, most: int) -> None:
    mask = jagged(seed, 0.7)

    outline = outlined(mask, most)

    assert contains(outline, middles(mask)).all()


@settings(max_examples=60)
@given(
    seed=seeds,
    roughness=roughness_px,
    most=most_points,
    seam=st.integers(10, SIDE_PX - 10),
    overlap=st.integers(0, 8),
)
def test_the_parts_of_a_jagged_defect_touch_across_a_seam(
    seed: int, roughness: float, most: int, seam: int, overlap: int
) -> None:
    strip = jagged(seed, roughness)
    before, behind = strip.copy(), strip.copy()
    before[seam + overlap :] = False
    behind[:seam] = False
    assume(before.any() and behind.any())
    before, behind = largest(before), largest(behind)
    beside = cv2.dilate(before.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assume((beside & behind).any())

    assert within_reach(outlined(before, most), outlined(behind, most), REACH_PX, REACH_PX)


def test_teeth_at_a_seam_stay_at_the_seam() -> None:
    comb = np.zeros((200, 300), np.bool_)
    comb[150:] = True
    comb[:150, ::20] = True

    outline = outlined(comb, 12)

    assert contains(outline, middles(comb)).all()
    assert outline[:, 1].min() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (2, 2)])
def test_a_solid_box_is_its_own_outline(shape: tuple[int, int]) -> None:
    outline = outlined(np.ones(shape, np.bool_), 4)

    assert len(outline) == 4
    assert area_mm2(outline) == shape[0] * shape[1]
