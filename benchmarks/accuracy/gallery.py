"""The failure gallery: what a network gets most wrong on simulated strip, whose pictures may be shown."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.simulation.writing import write_tiles
from models.evaluation.worst import wrong_pixels
from models.evaluation.worst_page import error_picture
from models.image_files import read_grey
from models.segmenter import Segmenter

BEST = "coilnet-m"
TILES = 400
"""More than half show a defect: enough for the worst to be bad."""
SEED = 41
"""No training draws tiles from it."""
ROWS = 4
"""Of tiles with most missed, and again of tiles with most found that is none."""
SIDE_PX = 150
"""Four pictures beside each other fit a page."""
GAP_PX = 6
WHITE = 255
QUALITY = 85
"""Of the JPEG: below it texture blurs, above it the file grows for nothing."""


@dataclass(frozen=True)
class JudgedTile:
    """A tile, its mask and its map, all (H, W) uint8."""

    tile: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    saliency: NDArray[np.uint8]

    @property
    def wrong_px(self) -> tuple[int, int]:
        """How many pixels were found and are no defect, and how many are one and were not found."""
        false_positives, false_negatives = wrong_pixels(self.saliency, self.mask)
        return int(false_positives.sum()), int(false_negatives.sum())


def failure_gallery(model: str, progress: Callable[[int, int], None]) -> bytes:
    """Return a JPEG: a row each for tiles with most missed, then for tiles with most found that is none.

    The tiles are simulated strip whose defects are made from the judging half of the crops. A row shows tile,
    mask, map, and errors as `coilwatch evaluate --plots` colours them.

    Args:
        model: shipped weights or a file.
        progress: told how many tiles of how many are done.
    """
    judged = _judged(Segmenter.open(model, device="cpu"), progress)
    missed = sorted(judged, key=lambda one: -one.wrong_px[1])[:ROWS]
    invented = sorted(judged, key=lambda one: -one.wrong_px[0])[:ROWS]
    rows = [_row(one) for one in (*missed, *invented)]
    encoded = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return encoded.tobytes()


def _judged(segmenter: Segmenter, progress: Callable[[int, int], None]) -> list[JudgedTile]:
    judged = []
    with tempfile.TemporaryDirectory() as folder:
        write_tiles(Path(folder), tiles=TILES, seed=SEED, half="judge", size=segmenter.tile_size)
        paths = sorted((Path(folder) / "images").iterdir())
        for done, path in enumerate(paths, 1):
            tile, mask = read_grey(path), read_grey(Path(folder) / "masks" / path.name)
            judged.append(JudgedTile(tile, mask, segmenter.segment([tile])[0]))
            progress(done, len(paths))
    return judged


def _row(one: JudgedTile) -> NDArray[np.uint8]:
    pictures = [one.tile, one.mask, one.saliency, error_picture(one.saliency, one.mask)]
    return np.hstack([_framed(picture) for picture in pictures])


def _framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    coloured = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
    small = cv2.resize(coloured, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    sides = (0, GAP_PX, 0, GAP_PX)
    return np.asarray(cv2.copyMakeBorder(small, *sides, cv2.BORDER_CONSTANT, value=(WHITE,) * 3), np.uint8)
