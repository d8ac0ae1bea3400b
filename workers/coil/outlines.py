"""Geometry of outlines: are two within reach of each other, and how much do they overlap.

An outline is an `(N, 2)` float array of (along_mm, across_mm), closed by its first point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workers.inspection.records import ROUNDING_MM

Outline = NDArray[np.float64]

CELL_MM = 0.25
"""Cells in which overlap is counted: half a pixel of a fine camera."""
MOST_CELLS = 40_000
"""A long overlap is counted in larger cells, for time's sake; its relative error stays the same."""


def within_reach(one: Outline, other: Outline, along_mm: float, across_mm: float) -> bool:
    """Whether two outlines touch when each point reaches an ellipse of these half-axes.

    What is just that far apart touches wherever it lies: rounding decides nothing.
    """
    reach = np.array([along_mm, across_mm]) + ROUNDING_MM
    a, b = one / reach, other / reach
    return bool(
        _least_distance(a, b) <= 1.0 or _crosses(a, b) or contains(a, b[:1])[0] or contains(b, a[:1])[0]
    )


def contains(outline: Outline, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of `(M, 2)` points lie inside the outline, by the even-odd rule."""
    x, y = points[:, 0, None], points[:, 1, None]
    (x0, y0), (x1, y1) = outline.T, np.roll(outline, -1, axis=0).T
    straddles = (y0 > y) != (y1 > y)
    height = np.where(y1 == y0, 1.0, y1 - y0)
    left_of_edge = x < x0 + (y - y0) * (x1 - x0) / height
    inside: NDArray[np.bool_] = np.count_nonzero(straddles & left_of_edge, axis=1) % 2 == 1
    return inside


def area_mm2(outline: Outline) -> float:
    """Area of the outline by the shoelace formula."""
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def overlap_mm2(one: Outline, others: Sequence[tuple[Outline, float]]) -> float:
    """Area of an outline that any of the others covers, counted in cells.

    Args:
        one: the outline.
        others: at least one, each with the share of its cells that count; of several the largest share.
    """
    corners = np.concatenate([other for other, _ in others])
    low = np.maximum(one.min(axis=0), corners.min(axis=0))
    extent = np.minimum(one.max(axis=0), corners.max(axis=0)) - low
    if (extent <= 0).any():
        return 0.0
    cell = max(CELL_MM, float(np.sqrt(extent.prod() / MOST_CELLS)))
    # Overlap narrower than a cell and very long would have more cells than memory holds.
    counts = np.clip(np.round(extent / cell), 1, MOST_CELLS).astype(int)
    steps = extent / counts
    along = low[0] + (np.arange(counts[0]) + 0.5) * steps[0]
    across = low[1] + (np.arange(counts[1]) + 0.5) * steps[1]
    centres = np.stack(np.meshgrid(along, across, indexing="ij"), axis=-1).reshape(-1, 2)
    in_one = centres[contains(one, centres)]
    covered = np.zeros(len(in_one))
    for other, share in others:
        covered = np.maximum(covered, share * contains(other, in_one))
    return float(covered.sum() * steps.prod())


def _least_distance(a: Outline, b: Outline) -> float:
    """Least distance of any corner of one to any side of the other."""
    return min(_corners_to_sides(a, b), _corners_to_sides(b, a))


def _corners_to_sides(corners: Outline, outline: Outline) -> float:
    start = outline[None]
    side = np.roll(outline, -1, axis=0)[None] - start
    length = (side**2).sum(axis=2)
    offset = corners[:, None] - start
    along = (offset * side).sum(axis=2) / np.where(length == 0, 1.0, length)
    nearest = start + np.clip(along, 0.0, 1.0)[..., None] * side
    return float(np.sqrt(((corners[:, None] - nearest) ** 2).sum(axis=2)).min())


def _crosses(a: Outline, b: Outline) -> bool:
    """Whether any side of one crosses a side of the other; a cross has no corner near the other's."""
    a0, a1 = a[:, None], np.roll(a, -1, axis=0)[:, None]
    b0, b1 = b[None], np.roll(b, -1, axis=0)[None]
    apart_b = _turn(a0, a1, b0) * _turn(a0, a1, b1) < 0
    apart_a = _turn(b0, b1, a0) * _turn(b0, b1, a1) < 0
    return bool((apart_a & apart_b).any())


def _turn(a: Outline, b: Outline, c: Outline) -> NDArray[np.float64]:
    first, second = b - a, c - a
    turn: NDArray[np.float64] = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return turn
