"""How well the boundary of what was found follows the mask's, at 1 to 5 px.

Of the map as it is, binary at 127. Where neither the map nor the mask has a boundary both figures are 1:
nothing was to be found and nothing was; where only one has, 0. The image's edge counts as the outside, as in
the code of Boundary IoU: a defect that the edge cuts off has a boundary there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

DISTANCES_PX = (1, 2, 3, 4, 5)

ByPx = tuple[float, float, float, float, float]
"""One figure for each of the distances."""

_FAR = np.uint8(200)
"""More than any squared distance that counts, small enough that a step's cost never leaves uint8."""

_MARGIN_PX = len(DISTANCES_PX)
"""Empty rows and columns behind an image: rows lie behind one another, and no step may reach the next."""

Regions = NDArray[np.uint8]
"""(2, h, w) of 0 and 1: what was found, then the mask, each with the margin and one more pixel before it."""


@dataclass(frozen=True, slots=True)
class BoundaryScores:
    """Both boundary figures at 1, 2, 3, 4 and 5 px."""

    f: ByPx
    iou: ByPx


def boundary_scores(found: NDArray[np.uint8], foreground: NDArray[np.uint8]) -> BoundaryScores:
    """Compare the boundaries of two binary images.

    *Boundary IoU*: intersection over union of the two bands of pixels inside each region and no deeper than
    d, counted in steps to the eight neighbours. *Boundary F*: harmonic mean of the shares of either contour
    (the band at 1 px) that lie within a Euclidean distance d of the other.

    Args:
        found: (H, W) uint8 of 0 and 1, what the map finds.
        foreground: (H, W) uint8 of 0 and 1, the mask.

    Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation" (CVPR 2021);
    boundary F after Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
    Segmentation" (CVPR 2016).
    """
    left, top, width, height = cv2.boundingRect(found | foreground)
    if not width:
        return BoundaryScores((1.0,) * 5, (1.0,) * 5)
    window = (slice(top, top + height), slice(left, left + width))
    regions = np.zeros((2, height + _MARGIN_PX + 1, width + _MARGIN_PX + 1), np.uint8)
    regions[:, 1 : height + 1, 1 : width + 1] = found[window], foreground[window]
    bands = _bands(regions)
    ious = [cv2.countNonZero(ours & theirs) / cv2.countNonZero(ours | theirs) for ours, theirs in bands]
    return BoundaryScores(_by_px(_contour_fs(bands[0])), _by_px(ious))


def _bands(regions: Regions) -> list[Regions]:
    """Pixels of either region no deeper than each distance."""
    bands: list[Regions] = []
    inner = regions.copy()
    flat = inner.reshape(-1)
    for _ in DISTANCES_PX:
        for step in (regions.shape[2], 1):
            kept = flat[step:-step] & flat[: -2 * step]
            kept &= flat[2 * step :]
            flat[step:-step] = kept
        bands.append(regions ^ inner)
    return bands


def _contour_fs(contours: Regions) -> list[float]:
    """Boundary F of two contours at each distance."""
    squares_to_other = _squared_distances(contours)[::-1]
    pixels = [max(cv2.countNonZero(contour), 1) for contour in contours]
    fs = []
    for distance in DISTANCES_PX:
        near = contours & (squares_to_other <= distance**2)
        precision, recall = (cv2.countNonZero(ours) / px for ours, px in zip(near, pixels, strict=True))
        fs.append(2 * precision * recall / (precision + recall or 1))
    return fs


def _squared_distances(marked: Regions) -> Regions:
    """Squared Euclidean distance in px to what is marked, exact up to the largest of the distances.

    Spreads down and up, then right and left; the n-th step adds the n-th odd number, so that n steps cost n
    squared.
    """
    squares = (1 - marked) * _FAR
    flat = squares.reshape(-1)
    stepped = np.empty_like(flat)
    for pixels in (marked.shape[2], 1):
        for step in DISTANCES_PX:
            np.add(flat, np.uint8(2 * step - 1), out=stepped)
            np.minimum(flat[pixels:], stepped[:-pixels], out=flat[pixels:])
            np.minimum(flat[:-pixels], stepped[pixels:], out=flat[:-pixels])
    return squares


def _by_px(values: list[float]) -> ByPx:
    one, two, three, four, five = values
    return one, two, three, four, five
