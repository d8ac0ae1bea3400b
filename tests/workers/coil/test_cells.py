from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ingest.records import MAX_MM
from workers.coil.cells import Cells
from workers.coil.joining import PlacedFinding

DENSE = 200
"""Findings that a frame may have."""
BAND_MM = 500.0
MOST_BYTES = 1_000_000


def placed(start_mm: float, end_mm: float, left_mm: float, right_mm: float) -> PlacedFinding:
    box = np.array([(start_mm, left_mm), (end_mm, right_mm)])
    return PlacedFinding(
        "id", "top", "left", 0, 0.8, 1.0, start_mm, end_mm, left_mm, right_mm, box, "unknown", None
    )


@pytest.mark.parametrize("cameras", [1, 8])
def test_a_finding_meets_a_handful_however_many_cameras_there_are(cameras: int) -> None:
    random = np.random.default_rng(1)
    cells = Cells(along_gap_mm=15, across_gap_mm=5)
    places = random.uniform((0, 0), (250, cameras * BAND_MM), (DENSE * cameras, 2))
    met = [len(list(cells.add(placed(along, along + 3, left, left + 3)))) for along, left in places]
    assert np.mean(met) < DENSE / 10


def test_a_finding_as_long_as_a_coil_fills_no_memory() -> None:
    cells = Cells(along_gap_mm=0.1, across_gap_mm=0.1)
    tracemalloc.start()
    try:
        for _ in range(DENSE):
            cells.add(placed(-MAX_MM, MAX_MM, -MAX_MM, MAX_MM))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert list(cells.add(placed(5, 6, 7, 8))) == list(range(DENSE))
