from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.classes.crops import CROP_PX, MOST_SIDE_PX, Window, cut_crop, window_of

GRADIENT = np.tile(np.arange(200, dtype=np.uint8), (100, 1))


def spot(height: int, width: int) -> np.ndarray:
    return np.ones((height, width), np.bool_)


@pytest.mark.parametrize(
    ("shape", "side"),
    [((4, 4), 64), ((10, 60), 90), ((60, 10), 90), ((480, 3), MOST_SIDE_PX)],
    ids=["speck", "wide", "tall", "scratch"],
)
def test_the_square_fits_the_finding_within_bounds(shape: tuple[int, int], side: int) -> None:
    window = window_of(spot(*shape), top=30, left=50)
    assert window.side == side
    middle = (window.top + side // 2, window.left + side // 2)
    assert middle == (30 + shape[0] // 2, 50 + shape[1] // 2)


def test_the_square_lies_on_a_bent_finding() -> None:
    bent = np.zeros((100, 100), np.bool_)
    bent[:, 90:] = True
    bent[90:, :] = True
    window = window_of(bent)
    row, column = window.top + window.side // 2, window.left + window.side // 2
    assert row >= 50
    assert column >= 50


@pytest.mark.parametrize("angles", [(0, 360), (0, 180), (200, 290)], ids=["ring", "bow", "quarter"])
def test_the_square_shows_part_of_a_finding_that_is_too_wide_for_it(angles: tuple[int, int]) -> None:
    wide = np.zeros((900, 900), np.uint8)
    cv2.ellipse(wide, (450, 450), (400, 400), 0, *angles, 255, 10)
    ring = wide > 0
    window = window_of(ring, top=30, left=50)
    assert ring[window.top - 30 + window.side // 2, window.left - 50 + window.side // 2]
    assert cut_crop(np.full((1000, 1000), 90, np.uint8), ring, 30, 50, window)[1].any()


@pytest.mark.parametrize("side", [190, MOST_SIDE_PX])
def test_a_ring_that_fits_the_square_is_in_its_middle(side: int) -> None:
    ring = np.zeros((side, side), np.uint8)
    cv2.circle(ring, (side // 2, side // 2), side // 2 - 4, 255, 8)
    window = window_of(ring > 0)
    assert abs(window.top + window.side // 2 - side // 2) <= 1
    assert abs(window.left + window.side // 2 - side // 2) <= 1


def test_a_crop_is_grey_and_mask_at_one_size() -> None:
    crop = cut_crop(GRADIENT, spot(32, 32), 40, 80, Window(32, 72, 64))
    assert crop.shape == (2, CROP_PX, CROP_PX)
    assert crop.dtype == np.uint8
    assert crop[1, 20:76, 20:76].min() == 255
    assert crop[1].mean() / 255 == pytest.approx(0.25, abs=0.02)
    assert (crop[0, 0, 0], crop[0, 0, -1]) == (72, 135)


@pytest.mark.parametrize("window", [Window(-40, -40, 64), Window(70, 170, 64), Window(-60, -200, 256)])
def test_no_border_shows_beyond_an_image(window: Window) -> None:
    bright = np.full((100, 200), 90, np.uint8)
    crop = cut_crop(bright, spot(10, 10), 0, 0, window)
    assert set(np.unique(crop[0])) == {90}


def test_beyond_its_borders_an_image_is_mirrored() -> None:
    crop = cut_crop(GRADIENT, spot(10, 10), 0, 0, Window(10, -16, 64))
    assert (crop[0, 0, 0], crop[0, 0, CROP_PX // 4], crop[0, 0, -1]) == (16, 0, 47)


def test_a_window_beside_the_image_shows_nothing() -> None:
    assert not cut_crop(GRADIENT, spot(4, 4), 0, 0, Window(500, 500, 64)).any()


def test_the_smallest_image_has_a_crop() -> None:
    crop = cut_crop(np.full((1, 1), 7, np.uint8), spot(1, 1), 0, 0, window_of(spot(1, 1)))
    assert crop[0].min() == crop[0].max() == 7
    assert crop[1].any()
