from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.coil.outlines import Outline, area_mm2, contains, overlap_mm2, within_reach

SQUARE = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], np.float64)
L_SHAPE = np.array([(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)], np.float64)
CIRCLE = np.array([(5 + 5 * math.cos(a), 5 + 5 * math.sin(a)) for a in np.linspace(0, 2 * np.pi, 200)[:-1]])


def moved(along: float, across: float) -> Outline:
    return SQUARE + np.array((along, across))


sizes = st.floats(0.5, 60)
places = st.floats(-40, 40)


def rectangle(along: float, across: float, length: float, width: float) -> Outline:
    return np.array(
        [(along, across), (along + length, across), (along + length, across + width), (along, across + width)]
    )


@pytest.mark.parametrize(
    ("outline", "expected"),
    [(SQUARE, 100), (L_SHAPE, 64), (CIRCLE, math.pi * 25)],
    ids=["square", "L", "circle"],
)
def test_area(outline: Outline, expected: float) -> None:
    assert area_mm2(outline) == pytest.approx(expected, rel=0.001)
    assert area_mm2(outline[::-1]) == pytest.approx(area_mm2(outline))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (SQUARE, SQUARE, 100),
        (SQUARE, moved(5, 5), 25),
        (SQUARE, moved(10, 0), 0),
        (SQUARE, moved(50, 0), 0),
        (SQUARE, SQUARE * 0.5 + 2, 25),
        (SQUARE, CIRCLE, math.pi * 25),
        (L_SHAPE, moved(4, 4), 0),
        (L_SHAPE, moved(2, 2), 2 * 8 + 6 * 2),
    ],
    ids=["itself", "corner", "touching", "apart", "inside", "circle", "notch", "across-the-notch"],
)
def test_overlap(one: Outline, other: Outline, expected: float) -> None:
    assert overlap_mm2(one, [(other, 1.0)]) == pytest.approx(expected, rel=0.01)
    assert overlap_mm2(other, [(one, 1.0)]) == pytest.approx(overlap_mm2(one, [(other, 1.0)]))


@settings(max_examples=60)
@given(along=places, across=places, length=sizes, width=sizes)
def test_overlap_of_rectangles_is_exact(along: float, across: float, length: float, width: float) -> None:
    one, other = rectangle(0, 0, 30, 20), rectangle(along, across, length, width)
    shared = max(0.0, min(30, along + length) - max(0, along)) * max(
        0.0, min(20, across + width) - max(0, across)
    )

    # Cells fill the box that both share, so nothing is lost at its borders.
    assert overlap_mm2(one, [(other, 1.0)]) == pytest.approx(shared, rel=1e-6, abs=1e-9)


@pytest.mark.timeout(20)
def test_overlap_of_the_longest_and_thinnest_rectangles_takes_no_time() -> None:
    thin = rectangle(0, 0, 3e7, 1e-3)

    assert overlap_mm2(thin, [(thin, 1.0)]) == pytest.approx(3e4)


@pytest.mark.parametrize(
    ("point", "inside"), [((2, 8), True), ((8, 2), True), ((8, 8), False), ((-1, 5), False), ((11, 2), False)]
)
def test_contains_follows_concave_outlines(point: tuple[float, float], inside: bool) -> None:
    assert contains(L_SHAPE, np.array([point], np.float64)).tolist() == [inside]


@pytest.mark.parametrize(
    ("gap", "axis", "reached"),
    [(14.9, 0, True), (15.1, 0, False), (4.9, 1, True), (5.1, 1, False), (14.9, 1, False)],
)
def test_reach_differs_along_and_across(gap: float, axis: int, reached: bool) -> None:
    step = (10 + gap) * np.eye(2)[axis]

    assert within_reach(SQUARE, SQUARE + step, 15, 5) is reached
    assert within_reach(SQUARE + step, SQUARE, 15, 5) is reached


@settings(max_examples=60)
@given(along=places, across=places, length=sizes, width=sizes)
def test_reach_of_rectangles_is_that_of_their_gaps(
    along: float, across: float, length: float, width: float
) -> None:
    one, other = rectangle(0, 0, 30, 20), rectangle(along, across, length, width)
    gap_along = max(0.0, along - 30, -along - length) / 15
    gap_across = max(0.0, across - 20, -across - width) / 5
    distance = math.hypot(gap_along, gap_across)

    if abs(distance - 1) > 1e-9:
        assert within_reach(one, other, 15, 5) is (distance < 1)


def test_a_small_outline_in_the_notch_of_a_concave_one_is_out_of_reach() -> None:
    small = rectangle(8, 8, 1, 1)

    assert not within_reach(L_SHAPE, small, 1, 1)
    assert within_reach(L_SHAPE, small, 5, 5)
