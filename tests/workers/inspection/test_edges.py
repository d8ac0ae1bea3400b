from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.simulation import SimulatedCoil
from ingest.simulation.truth import Family
from tests.workers.inspection.segmentations import Pixels, strip
from workers.inspection.edges import StripEdges, find_strip_edges

SIMULATED_TOLERANCE_PX = 3


def differs_px(found: int | None, expected: float | None) -> float:
    if found is None or expected is None:
        return 0.0 if found is expected else float("inf")
    return abs(found - expected)


@pytest.mark.parametrize("family", ["scaled", "brushed"])
@pytest.mark.parametrize("seed", [3, 7])
def test_edges_of_simulated_strip(seed: int, family: Family) -> None:
    coil = SimulatedCoil(1.9, seed, family=family)
    edges = coil.truth().edges
    along = [sample.along_mm for sample in edges]
    for sequence in range(coil.frames_per_camera):
        centre = coil.along_mm(sequence) + coil.rows_per_frame * coil.bands[0].mm_per_row / 2
        left_mm = np.interp(centre, along, [sample.left_mm for sample in edges])
        right_mm = np.interp(centre, along, [sample.right_mm for sample in edges])
        left, right = (find_strip_edges(coil.frame(camera, sequence)) for camera in (0, 1))

        expected_left = (left_mm - coil.bands[0].across_mm) / coil.bands[0].mm_per_column
        expected_right = (right_mm - coil.bands[1].across_mm) / coil.bands[1].mm_per_column
        assert differs_px(left.left, expected_left) <= SIMULATED_TOLERANCE_PX
        assert differs_px(right.right, expected_right) <= SIMULATED_TOLERANCE_PX
        assert left.right is None
        assert right.left is None


def test_a_dark_frame_shows_no_strip() -> None:
    assert find_strip_edges(np.full((50, 80), 12, np.uint8)) == StripEdges(0, 0)


def with_dark(columns: slice, rows: slice = slice(None)) -> Pixels:
    pixels = strip(100, 150)
    pixels[rows, columns] = 3
    return pixels


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (strip(100, 150), StripEdges(None, None)),
        (strip(1, 1), StripEdges(None, None)),
        (strip(7, 200, 60, 130), StripEdges(60, 130)),
        (with_dark(slice(0, 5)), StripEdges(None, None)),
        (with_dark(slice(145, 150)), StripEdges(None, None)),
        (with_dark(slice(40, 90)), StripEdges(None, None)),
        (with_dark(slice(0, 60), slice(0, 80)), StripEdges(None, None)),
        (with_dark(slice(0, 30)), StripEdges(30, None)),
        (with_dark(slice(120, 150)), StripEdges(None, 120)),
    ],
    ids=[
        "all-strip",
        "one-pixel",
        "both-edges",
        "scratch-at-the-left-border",
        "scratch-at-the-right-border",
        "dark-band-within",
        "dark-defect-at-the-border",
        "gap-left",
        "gap-right",
    ],
)
def test_edges_of_plain_frames(pixels: Pixels, expected: StripEdges) -> None:
    assert find_strip_edges(pixels) == expected


@pytest.mark.parametrize(
    ("edges", "columns"),
    [
        (StripEdges(None, None), (0, 90)),
        (StripEdges(12, None), (12, 90)),
        (StripEdges(None, 70), (0, 70)),
        (StripEdges(0, 0), (0, 0)),
    ],
)
def test_columns_of_strip(edges: StripEdges, columns: tuple[int, int]) -> None:
    assert edges.columns(90) == columns


@pytest.mark.parametrize(
    ("edges", "columns"),
    [
        (StripEdges(None, None), (0, 90)),
        (StripEdges(12, None), (16, 90)),
        (StripEdges(None, 70), (0, 66)),
        (StripEdges(12, 20), (16, 16)),
        (StripEdges(12, 16), (16, 16)),
        (StripEdges(0, 0), (4, 4)),
    ],
)
def test_columns_of_strip_without_margins(edges: StripEdges, columns: tuple[int, int]) -> None:
    assert edges.columns(90, margin_px=4) == columns


@settings(max_examples=100)
@given(profile=st.lists(st.integers(0, 255), min_size=1, max_size=120))
def test_there_is_strip_between_the_edges_of_any_frame(profile: list[int]) -> None:
    pixels = np.tile(np.array(profile, np.uint8), (3, 1))

    edges = find_strip_edges(pixels)

    left, right = edges.columns(len(profile))
    assert 0 <= left <= right <= len(profile)
    assert edges == StripEdges(0, 0) or left < right
