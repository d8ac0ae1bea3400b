"""Images of any size as overlapping tiles, and the maps of tiles as one map."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.inference.backend import TILE_SIZE

OVERLAP_PX = 64
"""Shared by neighbouring tiles: near its border a tile lacks context, and there the neighbour counts more."""


def tile_starts(length_px: int) -> list[int]:
    """Return where tiles start along a side, so that they cover it, overlap, and do not leave it.

    Args:
        length_px: of the side, at least a tile.
    """
    if length_px <= TILE_SIZE:
        return [0]
    count = -(-(length_px - TILE_SIZE) // (TILE_SIZE - OVERLAP_PX)) + 1
    return [round(index * (length_px - TILE_SIZE) / (count - 1)) for index in range(count)]


def cut_tiles(image: NDArray[np.uint8]) -> tuple[list[NDArray[np.uint8]], list[tuple[int, int]]]:
    """Return the tiles of an image (H, W) and where they start; a side shorter than a tile is mirrored."""
    height, width = image.shape
    below, right = max(0, TILE_SIZE - height), max(0, TILE_SIZE - width)
    padded = np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT), dtype=np.uint8)
    rows, columns = tile_starts(padded.shape[0]), tile_starts(padded.shape[1])
    places = [(row, column) for row in rows for column in columns]
    tiles = [
        np.ascontiguousarray(padded[row : row + TILE_SIZE, column : column + TILE_SIZE])
        for row, column in places
    ]
    return tiles, places


def blend_maps(
    maps: Sequence[NDArray[np.uint8]], places: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return one map of `shape` from the maps of tiles, each weighted less towards its border.

    Args:
        maps: (T, T) each.
        places: row and column where each starts.
        shape: height and width of the image.
    """
    size = tuple(max(start[axis] for start in places) + TILE_SIZE for axis in (0, 1))
    total = np.zeros(size, dtype=np.float32)
    weight = np.zeros(size, dtype=np.float32)
    ramp = np.minimum(np.arange(1, TILE_SIZE + 1), np.arange(TILE_SIZE, 0, -1)).clip(max=OVERLAP_PX)
    window = np.outer(ramp, ramp).astype(np.float32)
    for saliency, (row, column) in zip(maps, places, strict=True):
        region = np.s_[row : row + TILE_SIZE, column : column + TILE_SIZE]
        total[region] += saliency * window
        weight[region] += window
    blended = np.rint(total / weight).astype(np.uint8)
    return np.ascontiguousarray(blended[: shape[0], : shape[1]])
