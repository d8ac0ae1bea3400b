"""Boundary figures against shapes worked out by hand and against the definition, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.metrics.boundary import DISTANCES_PX, boundary_scores

Binary = NDArray[np.uint8]


def _square(side_px: int, top: int = 6, left: int = 6) -> Binary:
    image = np.zeros((32, 32), np.uint8)
    image[top : top + side_px, left : left + side_px] = 1
    return image


def test_a_square_one_pixel_off() -> None:
    scores = boundary_scores(_square(10, left=7), _square(10))
    # Rings of 36 px that share 9 px above and 9 below.
    assert scores.iou[0] == pytest.approx(18 / (2 * 36 - 18))
    # At depth 5 both rings are whole squares.
    assert scores.iou[4] == pytest.approx(90 / 110)
    assert scores.f == (1.0,) * 5


def test_a_square_three_pixels_off_is_met_at_three_pixels() -> None:
    scores = boundary_scores(_square(10, left=9), _square(10))
    assert scores.f[2:] == (1.0, 1.0, 1.0)
    assert scores.f[0] < scores.f[1] < 1


def test_the_edge_of_the_image_is_a_boundary() -> None:
    cut_off = np.zeros((20, 20), np.uint8)
    cut_off[:, :10] = 1
    longer = np.zeros((20, 20), np.uint8)
    longer[:, :12] = 1
    scores = boundary_scores(longer, cut_off)
    # Rings of 56 and 60 px that share 20 px at the left edge, 9 px at the upper and 9 at the lower.
    assert scores.iou[0] == pytest.approx(38 / (56 + 60 - 38))


@pytest.mark.parametrize(
    ("found", "foreground", "expected"),
    [
        pytest.param(np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), 1.0, id="neither"),
        pytest.param(np.ones((4, 5), np.uint8), np.zeros((4, 5), np.uint8), 0.0, id="found alone"),
        pytest.param(np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8), 0.0, id="mask alone"),
        pytest.param(np.ones((4, 5), np.uint8), np.ones((4, 5), np.uint8), 1.0, id="both full"),
        pytest.param(np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8), 1.0, id="one pixel"),
    ],
)
def test_corners(found: Binary, foreground: Binary, expected: float) -> None:
    scores = boundary_scores(found, foreground)
    assert scores.f == scores.iou == (expected,) * 5


def _depth(region: Binary) -> NDArray[np.int64]:
    """Steps to the eight neighbours, from each pixel to the nearest one outside the region."""
    outside = np.argwhere(np.pad(region, 1) == 0) - 1
    depth = np.zeros(region.shape, np.int64)
    for row, column in np.argwhere(region):
        depth[row, column] = np.abs(outside - (row, column)).max(axis=1).min()
    return depth


def _share_near(ours: NDArray[np.int64], theirs: NDArray[np.int64], distance_px: int) -> float:
    squares = ((ours[:, None] - theirs) ** 2).sum(axis=2)
    return float((squares.min(axis=1) <= distance_px**2).mean())


@settings(max_examples=100)
@given(data=st.data(), height=st.integers(1, 14), width=st.integers(1, 14))
def test_the_definition_pixel_by_pixel(data: st.DataObject, height: int, width: int) -> None:
    images = arrays(np.uint8, (height, width), elements=st.integers(0, 1), fill=st.integers(0, 1))
    found, foreground = data.draw(images), data.draw(images)
    scores = boundary_scores(found, foreground)
    if not (found.any() and foreground.any()):
        assert scores.f == scores.iou == (float(found.any() == foreground.any()),) * 5
        return
    depths = _depth(found), _depth(foreground)
    contours = [np.argwhere(depth == 1) for depth in depths]
    for distance_px, f, iou in zip(DISTANCES_PX, scores.f, scores.iou, strict=True):
        ours, theirs = ((depth > 0) & (depth <= distance_px) for depth in depths)
        assert iou == pytest.approx((ours & theirs).sum() / (ours | theirs).sum())
        precision = _share_near(contours[0], contours[1], distance_px)
        recall = _share_near(contours[1], contours[0], distance_px)
        either = precision + recall
        assert f == pytest.approx(2 * precision * recall / either if either else 0.0)
