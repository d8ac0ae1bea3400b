"""Draws the outline of a region: a polygon of few points around its pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TOLERANCES_PX = (0.75, 1.125)
"""How far an outline may run beside the pixels: the stairs of a border at 45 degrees (0.71 px) become a line,
and where that leaves too many points those of any slant (less than 1 px)."""

Corners = NDArray[np.int32]
"""Corners of pixels, `(N, 2)` pairs of column and row."""


def outline_of(mask: NDArray[np.bool_], most_points: int) -> Corners:
    """Closed polygon around a region, whose points are corners of its box's pixels.

    A border too jagged for the points allowed is smoothed outwards only: such an outline holds every pixel of
    the region, so regions that touch, in one frame or across a seam, have outlines that touch.

    Args:
        mask: the region's pixels in its box, `(h, w)`; connected, and touching each side of the box.
        most_points: of the outline, 4 or more.
    """
    border = _border(mask)
    for tolerance_px in TOLERANCES_PX:
        outline = _simplified(border, tolerance_px, closed=True)
        if len(outline) < 3:
            # So thin that it was simplified to a line.
            outline = cv2.convexHull(border)[:, 0].astype(np.int32)
        if len(outline) <= most_points:
            return outline
    margin_px = 1
    while len(outline := _enclosing(mask, margin_px)) > most_points:
        margin_px += 1 + margin_px // 4
    return outline


def _enclosing(mask: NDArray[np.bool_], margin_px: int) -> Corners:
    """Outline of a region grown by a margin within its box, simplified by no more: so it cuts no pixel off.

    Along the sides of the box, where nothing grows, it stays as it is. With a margin as wide as the box it is
    the box.
    """
    height, width = mask.shape
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8))
    border = _border(grown.astype(np.bool_))
    beside = (border == 0) | (border == (width, height))
    on_side = beside.any(axis=1)
    inner = on_side & np.roll(on_side, 1) & np.roll(on_side, -1) & ~beside.all(axis=1)
    kept = np.flatnonzero(on_side & ~inner)
    ring = np.roll(border, -kept[0], axis=0)
    pieces = np.split(ring, kept[1:] - kept[0])
    ends = [*(piece[:1] for piece in pieces[1:]), ring[:1]]
    return np.concatenate(
        [
            _simplified(np.concatenate([piece, end]), margin_px, closed=False)[:-1]
            for piece, end in zip(pieces, ends, strict=True)
        ]
    )


def _border(mask: NDArray[np.bool_]) -> Corners:
    """Every corner of a pixel along the region's outer border, in order."""
    # At twice the size the contour's points, which lie in pixels, fall beside the corners of the mask's.
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return ((max(contours, key=len)[:, 0] + 1) // 2).astype(np.int32)


def _simplified(line: Corners, tolerance_px: float, *, closed: bool) -> Corners:
    return cv2.approxPolyDP(line, tolerance_px, closed)[:, 0].astype(np.int32)
