from __future__ import annotations

import base64
from time import perf_counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.inspection.segmentations import Pixels
from workers.coil.outlines import area_mm2
from workers.inspection.records import Region
from workers.inspection.regions import Regions, find_regions
from workers.inspection.settings import InspectionSettings

ALL = InspectionSettings(min_area_px=1)
"""Noise counts as well."""
PEAK = 240


def saliency(*regions: tuple[slice, slice], shape: tuple[int, int] = (60, 80), value: int = 255) -> Pixels:
    picture = np.zeros(shape, np.uint8)
    for region in regions:
        picture[region] = value
    return picture


def found(picture: Pixels, settings: InspectionSettings = ALL) -> Regions:
    pixels = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
    return find_regions(pixels, picture, settings, PEAK)


def outline_area(region: Region) -> float:
    return area_mm2(np.array(region.outline, np.float64))


def picture_of(region: Region) -> bytes:
    return base64.b64decode(region.thumbnail, validate=True)


def test_a_dark_map_has_no_regions() -> None:
    assert found(saliency()) == Regions((), (), 0, 0)
    assert found(saliency(np.s_[3:9, 3:9], value=127)) == Regions((), (), 0, 0)


def test_one_pixel_is_outlined_by_its_corners() -> None:
    (region,) = found(saliency(np.s_[7:8, 9:10])).whole

    assert (region.top, region.left, region.bottom, region.right) == (7, 9, 8, 10)
    assert set(region.outline) == {(7, 9), (8, 9), (8, 10), (7, 10)}
    assert len(region.outline) == 4
    assert outline_area(region) == region.area_px == 1


@settings(max_examples=60)
@given(top=st.integers(0, 59), left=st.integers(0, 79), height=st.integers(1, 60), width=st.integers(1, 80))
def test_the_outline_of_a_rectangle_is_the_rectangle(top: int, left: int, height: int, width: int) -> None:
    (region,) = found(saliency(np.s_[top : top + height, left : left + width])).whole

    box = (region.top, region.left, region.bottom, region.right)
    assert box == (top, left, min(60, top + height), min(80, left + width))
    assert outline_area(region) == region.area_px
    assert set(region.outline) == {(box[row], box[column]) for row in (0, 2) for column in (1, 3)}


@settings(max_examples=60)
@given(
    start=st.tuples(st.integers(0, 59), st.integers(0, 79)),
    end=st.tuples(st.integers(0, 59), st.integers(0, 79)),
    thickness=st.integers(1, 5),
)
def test_outlines_of_slanted_scratches_stay_beside_them(
    start: tuple[int, int], end: tuple[int, int], thickness: int
) -> None:
    picture = saliency()
    cv2.line(picture, start[::-1], end[::-1], 255, thickness)
    (region,) = found(picture).whole

    for row, column in region.outline:
        assert region.top <= row <= region.bottom
        assert region.left <= column <= region.right
    length = max(region.bottom - region.top, region.right - region.left)
    assert abs(outline_area(region) - region.area_px) <= 1.5 * length + 2


def test_a_ragged_outline_has_no_more_points_than_settings_allow() -> None:
    comb = saliency(np.s_[10:14, 0:80], *(np.s_[14:50, column : column + 2] for column in range(0, 80, 4)))
    for most in (4, 12, 48):
        (region,) = found(comb, InspectionSettings(max_outline_points=most)).whole
        assert 3 <= len(region.outline) <= most


def test_the_score_is_the_mean_saliency_of_the_pixels() -> None:
    picture = saliency(np.s_[10:20, 10:20], value=200)
    picture[10:15, 10:20] = 250

    (region,) = found(picture).whole

    assert region.score == round(225 / 255, 4)
    assert region.area_px == 100


def test_a_neighbour_within_the_box_counts_for_nothing() -> None:
    frame = saliency(np.s_[10:40, 10:12], np.s_[38:40, 10:40], value=250)
    frame[12:20, 30:38] = 255

    outer, inner = found(frame).whole

    assert (outer.score, inner.score) == (round(250 / 255, 4), 1.0)
    assert outer.area_px == 30 * 2 + 28 * 2


def test_regions_are_numbered_in_raster_order_of_their_first_pixel() -> None:
    # The box of the second begins left of the first's, its first pixel right of it.
    wedge = saliency(np.s_[5:9, 20:24])
    for row in range(5, 30):
        wedge[row, 60 - 2 * (row - 5) : 63 - 2 * (row - 5)] = 255
    wedge[2:4, 70:79] = 255

    regions = found(wedge).whole

    assert [region.component for region in regions] == [0, 1, 2]
    assert [(region.top, region.left) for region in regions] == [(2, 70), (5, 20), (5, 12)]


def test_diagonal_neighbours_are_one_region() -> None:
    (region,) = found(np.eye(40, dtype=np.uint8) * 255).whole

    assert region.area_px == 40
    assert outline_area(region) <= 80, "a thin diagonal does not cover its box"


def test_small_regions_are_noise() -> None:
    picture = saliency(np.s_[0:4, 0:6], np.s_[20:24, 0:5])

    regions = found(picture, InspectionSettings(min_area_px=24))

    assert [(region.component, region.area_px) for region in regions.whole] == [(0, 24)]
    assert (regions.further, regions.further_area_px) == (0, 0)


def test_beyond_the_limit_the_largest_stay_whole() -> None:
    sizes = (2, 5, 3, 5, 4)
    picture = saliency(*(np.s_[10 * n : 10 * n + 2, 3 : 3 + size] for n, size in enumerate(sizes)))

    regions = found(picture, InspectionSettings(min_area_px=1, max_regions=3))

    assert [(region.component, region.area_px) for region in regions.whole] == [(1, 10), (3, 10), (4, 8)]
    assert (regions.further, regions.further_area_px) == (2, 10)


@pytest.mark.parametrize(
    ("shape", "region"),
    [
        ((900, 900), np.s_[0:900, 0:900]),
        ((1000, 40), np.s_[0:1000, 18:21]),
        ((40, 3000), np.s_[20:22, 0:3000]),
        ((60, 80), np.s_[3:4, 3:4]),
        ((1, 1), np.s_[0:1, 0:1]),
    ],
    ids=["large", "long", "wide", "small", "one-pixel-frame"],
)
@pytest.mark.parametrize("most_bytes", [4096, 1024])
def test_thumbnails_are_small_pictures_of_any_region(
    shape: tuple[int, int], region: tuple[slice, slice], most_bytes: int
) -> None:
    # Pure noise is the worst that JPEG can meet.
    (only,) = found(
        saliency(region, shape=shape), InspectionSettings(min_area_px=1, max_thumbnail_bytes=most_bytes)
    ).whole

    data = picture_of(only)

    assert len(data) <= most_bytes
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.ndim == 2


def test_a_thumbnail_shows_the_defect_with_strip_around_it() -> None:
    pixels = np.full((100, 100), 150, np.uint8)
    pixels[40:60, 30:50] = 20

    (region,) = find_regions(pixels, saliency(np.s_[40:60, 30:50], shape=(100, 100)), ALL, PEAK).whole

    picture = cv2.imdecode(np.frombuffer(picture_of(region), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (52, 52)
    assert picture[26, 26] < 40
    assert picture[4, 4] > 130


def test_a_frame_of_specks_is_dealt_with_quickly() -> None:
    specks = (np.random.default_rng(1).random((480, 480)) < 0.1).astype(np.uint8) * 255
    one = saliency(np.s_[0:480, 0:480], shape=(480, 480))

    def seconds(picture: Pixels) -> float:
        times = []
        for _ in range(5):
            started = perf_counter()
            found(picture, InspectionSettings())
            times.append(perf_counter() - started)
        return min(times)

    # Specks below the least area must cost no Python each; they once took a hundred times one region's time.
    assert seconds(specks) < 10 * seconds(one)


@pytest.mark.parametrize(("most", "found"), [(PEAK - 1, 0), (PEAK, 1)])
def test_a_region_counts_only_with_a_salient_peak(most: int, found: int) -> None:
    saliency_map = np.zeros((40, 40), np.uint8)
    saliency_map[10:20, 10:20] = 150
    saliency_map[15, 15] = most
    regions = find_regions(np.full((40, 40), 120, np.uint8), saliency_map, InspectionSettings(), PEAK)
    assert len(regions.whole) == found
    assert all(region.area_px == 100 for region in regions.whole)
