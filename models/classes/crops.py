"""What a classifier sees of a finding: a square around it, as grey levels and as the finding's own mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_PX = 128
"""Side of a crop as the network takes it: that of X-SDD's images, of which most training ones are."""

CONTEXT = 1.5
"""Side of the square over the finding's longer side: what lies around a defect tells a class as well."""

LEAST_SIDE_PX = 64
"""A speck enlarged more than twice shows nothing new."""

MOST_SIDE_PX = 256
"""Of a longer finding a part is looked at: a scratch of a whole frame would be gone when shrunk."""

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """A square of an image, which may reach beyond its borders.

    Attributes:
        top, left: its first row and column.
        side: in pixels.
    """

    top: int
    left: int
    side: int


def window_of(mask: Mask, top: int = 0, left: int = 0) -> Window:
    """The square that is looked at for a finding: around its middle, or of one too long around a pixel of it.

    Args:
        mask: the finding's pixels in its box, `(h, w)`; at least one of them.
        top: first row of the box in the image.
        left: its first column.
    """
    rows, columns = np.nonzero(mask)
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    side = min(MOST_SIDE_PX, max(LEAST_SIDE_PX, int(longer * CONTEXT)))
    # The median lies on or near the finding whatever its form; the middle of a bent one's box need not.
    row, column = (int(np.sort(places)[len(places) // 2]) for places in (rows, columns))
    if longer > MOST_SIDE_PX:
        # Within a wide ring or bow a square this small would show nothing of it.
        nearest = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
        row, column = int(rows[nearest]), int(columns[nearest])
    return Window(top + row - side // 2, left + column - side // 2, side)


def cut_crop(pixels: Grey, mask: Mask, top: int, left: int, window: Window) -> Grey:
    """Cut what a window shows.

    Args:
        pixels: image `(H, W)` uint8; it is mirrored over its borders.
        mask: the finding's pixels in its box, `(h, w)`.
        top: first row of the box in the image.
        left: its first column.
        window: where to look.

    Returns:
        `(2, CROP_PX, CROP_PX)` uint8: grey levels, and the share of the finding in each pixel times 255.
    """
    own = np.zeros((window.side, window.side), np.uint8)
    here, there = _overlap(window, Window(top, left, 0), mask.shape)
    own[here] = mask[there] * np.uint8(255)
    return np.stack([_resized(plane) for plane in (_mirrored(pixels, window), own)])


def _mirrored(pixels: Grey, window: Window) -> Grey:
    here, there = _overlap(window, Window(0, 0, 0), pixels.shape)
    (rows, columns), side = here, window.side
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return np.zeros((side, side), np.uint8)
    edges = (rows.start, side - rows.stop, columns.start, side - columns.stop)
    inside = np.ascontiguousarray(pixels[there])
    if not any(edges):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REFLECT_101), np.uint8)


def _overlap(
    window: Window, box: Window, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """What a window and a box of some shape share, as slices of the window and of the box."""
    here, there = [], []
    for first, start, length in zip((window.top, window.left), (box.top, box.left), shape, strict=True):
        low, high = max(first, start), min(first + window.side, start + length)
        here.append(slice(low - first, max(low, high) - first))
        there.append(slice(low - start, max(low, high) - start))
    return (here[0], here[1]), (there[0], there[1])


def _resized(plane: Grey) -> Grey:
    method = cv2.INTER_AREA if len(plane) > CROP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (CROP_PX, CROP_PX), interpolation=method), np.uint8)
