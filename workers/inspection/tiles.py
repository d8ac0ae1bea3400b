"""Cuts the strip of a frame into tiles and puts their saliency maps together again, in integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from workers.inspection.edges import StripEdges


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiles of one frame.

    Attributes:
        tiles: `(size, size)` uint8 each; the gap beside the strip is filled with mirrored strip, so that
            the strip's edge is no contrast for the network.
        places: first row and column of each tile.
        shape: of the frame.
        size: of a tile.
        overlap_px: how far neighbouring tiles overlap at least.
    """

    tiles: tuple[NDArray[np.uint8], ...]
    places: tuple[tuple[int, int], ...]
    shape: tuple[int, int]
    size: int
    overlap_px: int


def cut(pixels: NDArray[np.uint8], edges: StripEdges, size: int, overlap_px: int) -> Tiling:
    """Cut a frame into overlapping square tiles; tiles without strip are left out.

    Args:
        pixels: frame `(H, W)` uint8 of any size; a frame smaller than a tile is mirrored at its far borders.
        edges: of the strip in it.
        size: of a tile.
        overlap_px: least overlap of neighbouring tiles, below `size`.
    """
    height, width = pixels.shape
    left, right = edges.columns(width)
    filled = pixels[:, _mirror(width, left, right)] if (left, right) != (0, width) else pixels
    if height < size or width < size:
        rows, columns = _mirror(max(height, size), 0, height), _mirror(max(width, size), 0, width)
        filled = filled[rows][:, columns]
    places = [
        (row, column)
        for row, column in product(_starts(height, size, overlap_px), _starts(width, size, overlap_px))
        if column < right and column + size > left
    ]
    tiles = tuple(np.ascontiguousarray(filled[r : r + size, c : c + size]) for r, c in places)
    return Tiling(tiles, tuple(places), (height, width), size, overlap_px)


def blend(tiling: Tiling, maps: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The saliency map of a frame, `(H, W)` uint8; 0 where there was no tile.

    Where tiles overlap, each counts the more the farther the pixel lies from its border.
    """
    size = tiling.size
    shape = (max(tiling.shape[0], size), max(tiling.shape[1], size))
    total = np.zeros(shape, np.uint32)
    weights = np.zeros(shape, np.uint32)
    weight = _weight(size, tiling.overlap_px)
    for (row, column), saliency in zip(tiling.places, maps, strict=True):
        window = np.s_[row : row + size, column : column + size]
        total[window] += weight * saliency
        weights[window] += weight
    blended = (total + weights // 2) // np.maximum(weights, 1)
    frame: NDArray[np.uint8] = blended[: tiling.shape[0], : tiling.shape[1]].astype(np.uint8)
    return frame


def _starts(length: int, size: int, overlap_px: int) -> list[int]:
    """First pixels of as few tiles as cover a length, evenly spread."""
    if length <= size:
        return [0]
    count = -(-(length - overlap_px) // (size - overlap_px))
    return [number * (length - size) // (count - 1) for number in range(count)]


def _mirror(length: int, first: int, last: int) -> NDArray[np.intp]:
    """The pixel of `first` to `last` (half-open) that each of `length` pixels shows: mirrored outside."""
    period = 2 * (last - first)
    folded = (np.arange(length) - first) % period
    return first + np.where(folded < last - first, folded, period - 1 - folded)


@lru_cache(maxsize=8)
def _weight(size: int, overlap_px: int) -> NDArray[np.uint32]:
    """Weight of each pixel of a tile, rising from its borders over the overlap."""
    distance = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1))
    ramp = np.minimum(distance, overlap_px + 1).astype(np.uint32)
    weight: NDArray[np.uint32] = ramp[:, None] * ramp[None, :]
    return weight
