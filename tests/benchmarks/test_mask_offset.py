"""The offset that is found is the one that masks were drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.mask_offset import OFFSETS_PX, moved, offset_of


def smooth(row: float, column: float) -> NDArray[np.uint8]:
    """A map whose saliency falls slowly, so that parts of a pixel count."""
    rows, columns = np.mgrid[:60, :60]
    return np.asarray(255 / (1 + np.exp(np.hypot(rows - row, columns - column) - 12)), np.uint8)


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (0.5, -0.75), (-1.0, 0.25)])
def test_masks_drawn_beside_are_met_where_they_are(right: float, down: float) -> None:
    places = [(25.0, 30.0), (31.3, 28.6), (28.7, 33.1)]
    maps = [smooth(row, column) for row, column in places]
    masks = [255 * (smooth(row + down, column + right) > 127).astype(np.uint8) for row, column in places]
    found = offset_of(maps, masks)
    assert (found.right_px, found.down_px) == (right, down)
    assert found.images == 3
    assert found.iou <= found.iou_there
    assert found.iou_there > 0.99


def test_maps_that_meet_nothing_are_not_moved() -> None:
    empty = np.zeros((20, 20), np.uint8)
    found = offset_of([empty], [np.full((20, 20), 255, np.uint8)])
    assert (found.right_px, found.down_px, found.iou_there) == (0.0, 0.0, 0.0)


def test_no_move_leaves_a_map_as_it_is() -> None:
    saliency = smooth(25, 30)
    assert (moved(saliency, 0.0, 0.0) == saliency).all()
    assert 0.0 in OFFSETS_PX
