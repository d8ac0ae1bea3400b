"""Cuts images into overlapping tiles and puts the saliency maps of the tiles together again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiles of one image.

    Attributes:
        tiles: `(size, size)` uint8 each.
        places: first row and column of each tile.
        shape: of the image.
        size: of a tile.
        overlap_px: how far neighbouring tiles overlap at least.
    """

    tiles: tuple[NDArray[np.uint8], ...]
    places: tuple[tuple[int, int], ...]
    shape: tuple[int, int]
    size: int
    overlap_px: int


def cut(
    pixels: NDArray[np.uint8], size: int, overlap_px: int, columns: tuple[int, int] | None = None
) -> Tiling:
    """Cut an image into overlapping square tiles.

    Args:
        pixels: image `(H, W)` uint8 of any size; one smaller than a tile is mirrored at its far borders.
        size: of a tile.
        overlap_px: least overlap of neighbouring tiles, below `size`.
        columns: first column that matters and the one after the last; tiles of others alone are left out.
    """
    height, width = pixels.shape
    left, right = columns or (0, width)
    filled = mirrored(pixels, size)
    places = [
        (row, column)
        for row, column in product(_starts(height, size, overlap_px), _starts(width, size, overlap_px))
        if column < right and column + size > left
    ]
    tiles = tuple(np.ascontiguousarray(filled[r : r + size, c : c + size]) for r, c in places)
    return Tiling(tiles, tuple(places), (height, width), size, overlap_px)


def mirrored(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return an image `(H, W)` uint8 as it is, or mirrored at its far borders up to a size on each side."""
    height, width = pixels.shape
    if height >= size and width >= size:
        return pixels
    return pixels[_mirror(max(height, size), height)][:, _mirror(max(width, size), width)]


def blend(tiling: Tiling, maps: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The saliency map of an image, `(H, W)` uint8; 0 where there was no tile.

    Where tiles overlap, each counts the more the farther the pixel lies from its border.
    """
    size = tiling.size
    height, width = (max(length, size) for length in tiling.shape)
    down = _shares({row for row, _ in tiling.places}, height, tiling)
    across = _shares({column for _, column in tiling.places}, width, tiling)
    # Each pixel starts at a half, so that cutting off its decimals rounds it.
    total = np.full((height, width), 0.5, np.float32)
    for (row, column), saliency in zip(tiling.places, maps, strict=True):
        total[row : row + size, column : column + size] += saliency * down[row] * across[column].T
    blended: NDArray[np.uint8] = total[: tiling.shape[0], : tiling.shape[1]].astype(np.uint8)
    return blended


def _starts(length: int, size: int, overlap_px: int) -> list[int]:
    """First pixels of as few tiles as cover a length, evenly spread."""
    if length <= size:
        return [0]
    count = -(-(length - overlap_px) // (size - overlap_px))
    return [number * (length - size) // (count - 1) for number in range(count)]


def _mirror(length: int, shown: int) -> NDArray[np.intp]:
    """Which of `shown` pixels each of `length` shows: mirrored at the far border."""
    folded = np.arange(length) % (2 * shown)
    return np.where(folded < shown, folded, 2 * shown - 1 - folded)


def _shares(starts: set[int], length: int, tiling: Tiling) -> dict[int, NDArray[np.float32]]:
    """By start of a tile along one side: how much each of its pixels counts there, `(size, 1)`, 1 in all."""
    size = tiling.size
    distance = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1))
    ramp = np.minimum(distance, tiling.overlap_px + 1)
    total = np.zeros(length)
    for start in starts:
        total[start : start + size] += ramp
    return {start: (ramp / total[start : start + size]).astype(np.float32)[:, None] for start in starts}
