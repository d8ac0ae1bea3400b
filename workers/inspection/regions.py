"""Turns a saliency map into defect regions: components, outlines, thumbnails."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.inspection.outlining import outline_of
from workers.inspection.records import Region
from workers.inspection.settings import InspectionSettings

SCORE_DECIMALS = 4
THUMBNAIL_SIDE_PX = 160
"""Longest side of a thumbnail: what fits 4 KB at a quality that shows the defect."""
THUMBNAILS_BYTES = 400 * 1024
"""All thumbnails of a frame together, in JPEG: with them an inspection record stays under 1 MiB."""
QUALITIES = (85, 70, 55, 40)
CONNECTIVITY = 8


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a frame.

    Attributes:
        whole: the largest ones, by component.
        masks: the pixels of each of them in its box, `(h, w)`.
        further, further_area_px: count and area of those beyond the limit.
    """

    whole: tuple[Region, ...]
    masks: tuple[NDArray[np.bool_], ...]
    further: int
    further_area_px: int


NO_REGIONS = Regions((), (), 0, 0)


@dataclass(frozen=True, slots=True)
class _Picture:
    pixels: NDArray[np.uint8]
    saliency: NDArray[np.uint8]
    labels: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Component:
    label: int
    area_px: int
    top: int
    left: int
    bottom: int
    right: int
    first_column: int


def find_regions(
    pixels: NDArray[np.uint8], saliency: NDArray[np.uint8], settings: InspectionSettings, peak: int
) -> Regions:
    """Find the defect regions of a frame.

    Args:
        pixels: frame `(H, W)` uint8, for the thumbnails.
        saliency: its map `(H, W)` uint8.
        settings: threshold, least area, limits.
        peak: saliency that the most salient pixel of a region reaches.
    """
    mask = (saliency >= settings.threshold).astype(np.uint8)
    if not mask.any():
        return NO_REGIONS
    left, top, width, height = cv2.boundingRect(mask)
    window = np.s_[top : top + height, left : left + width]
    picture = _Picture(pixels, saliency, np.zeros(mask.shape, np.int32))
    # Counting components costs far more than finding where they lie: most frames are dark nearly everywhere.
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[window], connectivity=CONNECTIVITY)
    picture.labels[window] = labels
    placed = stats + np.array((left, top, 0, 0, 0))
    large = np.flatnonzero(placed[1:, cv2.CC_STAT_AREA] >= settings.min_area_px) + 1
    found = [_component(label, picture.labels, placed[label].tolist()) for label in large.tolist()]
    kept = [component for component in found if _peak(component, picture) >= peak]
    kept.sort(key=lambda c: (c.top, c.first_column))
    numbered = sorted(enumerate(kept), key=lambda pair: (-pair[1].area_px, pair[0]))
    largest = sorted(numbered[: settings.max_regions], key=lambda pair: pair[0])
    rest = numbered[settings.max_regions :]
    thumbnail_bytes = min(settings.max_thumbnail_bytes, THUMBNAILS_BYTES // max(1, len(largest)))
    limits = settings.model_copy(update={"max_thumbnail_bytes": thumbnail_bytes})
    regions = tuple(_region(number, component, picture, limits) for number, component in largest)
    masks = tuple(_mask(component, picture) for _, component in largest)
    return Regions(regions, masks, len(rest), sum(component.area_px for _, component in rest))


def _component(label: int, labels: NDArray[np.int32], stats: list[int]) -> _Component:
    left, top, width, height, area = stats
    first = left + int(np.argmax(labels[top, left : left + width] == label))
    return _Component(label, area, top, left, top + height, left + width, first)


def _box(component: _Component) -> tuple[slice, slice]:
    return np.s_[component.top : component.bottom, component.left : component.right]


def _mask(component: _Component, picture: _Picture) -> NDArray[np.bool_]:
    """Its pixels in its box."""
    mask: NDArray[np.bool_] = picture.labels[_box(component)] == component.label
    return mask


def _peak(component: _Component, picture: _Picture) -> int:
    """Saliency of the most salient pixel."""
    return int(picture.saliency[_box(component)][_mask(component, picture)].max())


def _region(number: int, component: _Component, picture: _Picture, settings: InspectionSettings) -> Region:
    mask = _mask(component, picture)
    total = int(picture.saliency[_box(component)][mask].sum(dtype=np.int64))
    outline = outline_of(mask, settings.max_outline_points)
    return Region(
        component=number,
        score=round(total / (255 * component.area_px), SCORE_DECIMALS),
        area_px=component.area_px,
        top=component.top,
        left=component.left,
        bottom=component.bottom,
        right=component.right,
        outline=tuple((component.top + row, component.left + column) for column, row in outline.tolist()),
        thumbnail=_thumbnail(picture.pixels, component, settings),
    )


def _thumbnail(pixels: NDArray[np.uint8], component: _Component, settings: InspectionSettings) -> str:
    """The defect with some strip around it, JPEG in base64, within the bytes that settings allow."""
    margin = settings.thumbnail_margin_px
    picture = pixels[
        max(0, component.top - margin) : component.bottom + margin,
        max(0, component.left - margin) : component.right + margin,
    ]
    side_px = THUMBNAIL_SIDE_PX
    while True:
        small = _shrunk(picture, side_px)
        for quality in QUALITIES:
            _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if len(data) <= settings.max_thumbnail_bytes:
                return base64.b64encode(data.tobytes()).decode()
        side_px //= 2


def _shrunk(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    height, width = picture.shape
    scale = side_px / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
