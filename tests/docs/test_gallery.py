"""The gallery of failures shows the tiles that a network gets most wrong, those with most missed first."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy import gallery
from models.segmenter import Segmenter

Pixels = NDArray[np.uint8]


class FindsTheUpperQuarter:
    """Marks the upper quarter of every tile, defect or not."""

    tile_size = 256

    def segment(self, tiles: Sequence[Pixels]) -> list[Pixels]:
        saliency = np.zeros((256, 256), np.uint8)
        saliency[:64] = 255
        return [saliency for _ in tiles]


def test_a_row_each_for_the_worst_misses_then_for_the_worst_inventions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gallery, "TILES", 12)
    monkeypatch.setattr(gallery, "ROWS", 2)
    monkeypatch.setattr(Segmenter, "open", lambda *_, **__: FindsTheUpperQuarter())
    told: list[tuple[int, int]] = []

    encoded = gallery.failure_gallery("any", lambda done, total: told.append((done, total)))

    assert told == [(done, 12) for done in range(1, 13)]
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    step = gallery.SIDE_PX + gallery.GAP_PX
    assert picture.shape == (4 * step, 4 * step, 3)
    rows = [
        picture[row * step : row * step + gallery.SIDE_PX, 3 * step : -gallery.GAP_PX] for row in range(4)
    ]
    # JPEG smears a little; blue is missed, orange found where nothing is.
    errors = np.stack(rows).astype(int)
    missed, invented = (
        (errors[..., one] > errors[..., other] + 80).sum(axis=(1, 2)) for one, other in ((0, 2), (2, 0))
    )
    assert missed[0] >= missed[1] > 0
    assert invented[2] >= invented[3] > 0
