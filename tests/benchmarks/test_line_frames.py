"""What is counted of findings on marked frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.line_frames import Found, found_on
from models.data.sources import Source


class Bright:
    """Finds what is brighter than the strip."""

    tile_size = 256
    peak = 240
    name = version = digest = "bright"

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        return [np.where(tile > 200, 255, 0).astype(np.uint8) for tile in tiles]


def test_findings_and_marks_are_counted_by_what_they_share(tmp_path: Path) -> None:
    frame, mask = np.full((256, 600), 120, np.uint8), np.zeros((256, 600), np.uint8)
    frame[20:60, 20:60] = 250
    frame[100:140, 300:340] = 250
    mask[20:60, 40:80] = 3
    mask[200:220, 500:520] = 1
    for name, pixels in (("frame.png", frame), ("mask.png", mask)):
        assert cv2.imwrite(str(tmp_path / name), pixels)
    found = found_on(Bright(), [Source(tmp_path / "frame.png", tmp_path / "mask.png")] * 2)
    unmarked = 256 * 600 - 40 * 40 - 20 * 20
    assert found == Found(
        frames=2,
        findings=4,
        touching=2,
        marks=4,
        marks_found=2,
        found_share=round((40 * 20 + 40 * 40) / unmarked, 5),
    )
