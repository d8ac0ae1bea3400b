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

_NEIGHBOURS = np.ones((3, 3), np.uint8)


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
    found_bands, true_bands = _bands(found[window]), _bands(foreground[window])
    ious = [_overlap(ours, theirs) for ours, theirs in zip(found_bands, true_bands, strict=True)]
    return BoundaryScores(_by_px(_contour_fs(found_bands[0], true_bands[0])), _by_px(ious))


def _bands(region: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Pixels of a region no deeper than each distance."""
    bands: list[NDArray[np.uint8]] = []
    inner = region
    for _ in DISTANCES_PX:
        eroded = cv2.erode(inner, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        inner = np.asarray(eroded, np.uint8)
        bands.append(region ^ inner)
    return bands


def _overlap(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    return cv2.countNonZero(ours & theirs) / cv2.countNonZero(ours | theirs)


def _contour_fs(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> list[float]:
    """Boundary F of two contours at each distance."""
    both = zip(_shares_near(ours, theirs), _shares_near(theirs, ours), strict=True)
    return [2 * precision * recall / (precision + recall or 1) for precision, recall in both]


def _shares_near(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> list[float]:
    """Share of our pixels within each distance of one of theirs; 0 without any."""
    squares = _squared_distances(theirs)
    our_px = max(cv2.countNonZero(ours), 1)
    return [cv2.countNonZero(ours & (squares <= distance**2)) / our_px for distance in DISTANCES_PX]


def _squared_distances(marked: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squared Euclidean distance in px to what is marked, exact up to the largest of the distances.

    Spreads down and up, then right and left; the n-th step adds the n-th odd number, so that n steps cost n
    squared. Rows lie behind one another, with as many columns between them as there are steps.
    """
    height, width = marked.shape
    squares = np.full((height, width + len(DISTANCES_PX)), _FAR, np.uint8)
    squares[:, :width] -= _FAR * marked
    flat = squares.reshape(-1)
    stepped = np.empty_like(flat)
    for pixels in (squares.shape[1], 1):
        for step in DISTANCES_PX:
            np.add(flat, np.uint8(2 * step - 1), out=stepped)
            np.minimum(flat[pixels:], stepped[:-pixels], out=flat[pixels:])
            np.minimum(flat[:-pixels], stepped[pixels:], out=flat[:-pixels])
    return squares[:, :width]


def _by_px(values: list[float]) -> ByPx:
    one, two, three, four, five = values
    return one, two, three, four, five
