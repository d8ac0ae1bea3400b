"""Finds where the strip begins and ends across a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DARK = 20
"""Grey level up to which a column may be background. Lit strip lies above 30 even where it is dark; the gap
beside it shows up to 12 grey levels of stray light."""
ROW_QUANTILE = 0.9
"""A column is background only if nearly all of its rows are dark: a dark defect rarely fills a column."""
MOST_ROWS = 64
"""Rows that are looked at; more of them change nothing but the time."""
LEAST_BACKGROUND_PX = 8
"""Narrower dark stretches at a border are scratches, not gaps."""
NEAR_STRIP_PX = 32
"""Width of strip beside the gap that tells how bright the strip is there."""
RISE = 0.25
"""The edge lies where the brightness has risen by this share of the way from gap to strip; the foot of the
rise, for strip edges are rounded and often dull."""


@dataclass(frozen=True, slots=True)
class StripEdges:
    """Columns where the strip begins and ends, half-open; None where it goes on beyond the frame.

    Both are 0 when there is no strip in the frame.
    """

    left: int | None
    right: int | None

    def columns(self, width: int, margin_px: int = 0) -> tuple[int, int]:
        """First column of strip and the one after the last; equal where there is none.

        Args:
            width: of the frame.
            margin_px: columns beside each edge that are left out.
        """
        first = 0 if self.left is None else self.left + margin_px
        last = width if self.right is None else self.right - margin_px
        return first, max(first, last)


def find_strip_edges(pixels: NDArray[np.uint8]) -> StripEdges:
    """Find the strip's edges.

    Args:
        pixels: frame `(H, W)` uint8; rows run along the strip.
    """
    profile = _column_profile(pixels)
    lit = np.flatnonzero(profile > DARK)
    if len(lit) == 0:
        return StripEdges(0, 0)
    left = _edge(profile, int(lit[0]))
    right = _edge(profile[::-1], len(profile) - 1 - int(lit[-1]))
    return StripEdges(left, None if right is None else len(profile) - right)


def _column_profile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The brightness that all but the brightest rows of a column stay below."""
    rows = pixels[:: max(1, len(pixels) // MOST_ROWS)]
    rank = int(ROW_QUANTILE * (len(rows) - 1))
    profile: NDArray[np.uint8] = np.partition(rows, rank, axis=0)[rank]
    return profile


def _edge(profile: NDArray[np.uint8], first_lit: int) -> int | None:
    """The edge nearest to the profile's beginning; None where the strip goes on beyond it."""
    if first_lit < LEAST_BACKGROUND_PX:
        return None
    gap = float(np.median(profile[: max(1, first_lit - LEAST_BACKGROUND_PX // 2)]))
    strip = float(np.median(profile[first_lit : first_lit + NEAR_STRIP_PX]))
    level = gap + RISE * (strip - gap)
    start = max(0, first_lit - LEAST_BACKGROUND_PX)
    risen = np.flatnonzero(profile[start : first_lit + NEAR_STRIP_PX] >= level)
    return start + int(risen[0]) if len(risen) else first_lit
