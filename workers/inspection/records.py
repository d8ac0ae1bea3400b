"""What inspection says of a frame: first in pixels (cacheable), then placed on the strip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingest.records import (
    MAX_MM,
    MAX_NUMBER,
    MAX_SIDE_PX,
    Digest,
    Identifier,
    Millimetres,
    Number,
    Pixels,
    Record,
    Run,
    Scale,
    Side,
    check_ends,
)

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PointMm = tuple[Millimetres, Millimetres]
"""(along_mm, across_mm)."""

Area = Annotated[float, Field(ge=0, le=(2 * MAX_MM) ** 2, allow_inf_nan=False)]
Place = Annotated[int, Field(ge=-MAX_SIDE_PX, le=MAX_SIDE_PX)]
"""A row or column."""
PixelCount = Annotated[int, Field(ge=0, le=MAX_SIDE_PX**2)]
PointPx = tuple[Place, Place]
"""(row, column)."""
Thumbnail = Annotated[str, Field(max_length=65_536)]

UNKNOWN = "unknown"
"""The class of a finding that no classifier saw, or that one was not sure of."""
DefectClass = Annotated[str, Field(min_length=1, max_length=100)]
"""A name of the classifier's own list, which may be any text."""

ROUNDING_MM = 1e-3
"""Findings lie in whole micrometres and frames do not: at its frame's border one may reach so far out."""

MOST_FINDINGS = 200
MOST_OUTLINE_POINTS = 256
"""What settings may ask for at most. Joining compares each corner of an outline with each of another's."""

Status = Literal["inspected", "unreadable"]


class ModelIdentity(Record):
    """Which weights made a result, and under which inspection settings.

    Attributes:
        digest: of weights, back end, precision, classifier and every inspection setting that can change a
            result.
        classifier: name and version of the one that told classes, None without one.
    """

    name: str
    version: str
    digest: Digest
    classifier: str | None = None


class Region(Record):
    """One connected defect region of a frame, in pixels of that frame.

    Attributes:
        component: number of the region in its frame, from 0 in raster order of its first pixel.
        score: mean saliency of its pixels, 0..1.
        area_px: its pixels.
        top, left, bottom, right: half-open bounding box.
        outline: closed polygon around it, (row, column) pairs on the pixel grid's corners or centres.
        thumbnail: JPEG in base64, at most 4 KB of JPEG.
        defect_class: what it was taken for.
        class_confidence: of the likeliest class, calibrated, even where that was not enough to name it; None
            where no classifier looked.
    """

    component: Annotated[int, Field(ge=0)]
    score: Share
    area_px: Annotated[int, Field(ge=1, le=MAX_SIDE_PX**2)]
    top: Place
    left: Place
    bottom: Place
    right: Place
    outline: Annotated[tuple[PointPx, ...], Field(min_length=1)]
    thumbnail: Thumbnail
    defect_class: DefectClass = UNKNOWN
    class_confidence: Share | None = None


class FrameResult(Record):
    """What inspection says of the pixels of one frame: no identity, no millimetres, so it can be cached.

    Attributes:
        reason: why the frame is unreadable, one line; None when it was inspected.
        model: None when the frame is unreadable.
        strip_left, strip_right: columns where the strip begins and ends (half-open), None where the
            strip goes on beyond the frame; both 0 when there is no strip in the frame.
        regions: the largest ones, whole, ordered by component.
        further_regions, further_area_px: count and area of the regions that were too many to keep whole.
        attempts: how often the inspection of an unreadable frame was tried.
    """

    schema_version: Literal[1] = 1
    status: Status
    reason: str | None = None
    model: ModelIdentity | None = None
    strip_left: Place | None = None
    strip_right: Place | None = None
    regions: tuple[Region, ...] = ()
    further_regions: PixelCount = 0
    further_area_px: PixelCount = 0
    attempts: Annotated[int, Field(ge=1, le=MAX_NUMBER)] = 1


class Finding(Record):
    """One connected defect region of a frame, in strip millimetres.

    Attributes:
        id: derived from line, coil, run, side, camera, sequence, component.
        start_mm, end_mm: extent along the strip from the head of the coil.
        left_mm, right_mm: extent across from the drive-side reference.
        outline: closed polygon, (along_mm, across_mm) pairs.
        defect_class, class_confidence: as of its region; records of before there were classes have neither.
    """

    id: Digest
    component: Annotated[int, Field(ge=0)]
    score: Share
    area_mm2: Area
    start_mm: Millimetres
    end_mm: Millimetres
    left_mm: Millimetres
    right_mm: Millimetres
    outline: Annotated[tuple[PointMm, ...], Field(min_length=1, max_length=MOST_OUTLINE_POINTS)]
    thumbnail: Thumbnail
    defect_class: DefectClass = UNKNOWN
    class_confidence: Share | None = None


class Inspection(Record):
    """The record of truth: one per frame, findings or none.

    Attributes:
        digest: the frame header's; tells equal duplicates from conflicting ones.
        left_edge_mm, right_edge_mm: strip edges across, None where the edge is not in this frame; equal where
            there is no strip in it.
        findings: none reaches beyond the frame.
    """

    schema_version: Literal[1] = 1
    kind: Literal["inspection"] = "inspection"
    line: Identifier
    coil: Identifier
    run: Run
    side: Side
    camera: Identifier
    sequence: Number
    along_mm: Millimetres
    across_mm: Millimetres
    mm_per_row: Scale
    mm_per_column: Scale
    height: Pixels
    width: Pixels
    digest: Digest
    status: Status
    reason: str | None = None
    model: ModelIdentity | None = None
    left_edge_mm: Millimetres | None = None
    right_edge_mm: Millimetres | None = None
    findings: Annotated[tuple[Finding, ...], Field(max_length=MOST_FINDINGS)] = ()
    further_findings: PixelCount = 0
    further_area_mm2: Area = 0.0

    @property
    def strip_mm(self) -> float:
        """Width of the strip in this frame; 0 where no strip is to be seen."""
        left = self.across_mm if self.left_edge_mm is None else self.left_edge_mm
        right = self.right_edge_mm
        return (self.across_mm + self.width * self.mm_per_column if right is None else right) - left

    @model_validator(mode="after")
    def _lies_within_bounds(self) -> Self:
        end_mm = self.along_mm + self.height * self.mm_per_row
        right_mm = self.across_mm + self.width * self.mm_per_column
        check_ends(end_mm, right_mm)
        for finding in self.findings:
            along, across = zip(*finding.outline, strict=True)
            _check_within("along", (finding.start_mm, finding.end_mm, *along), self.along_mm, end_mm)
            _check_within("across", (finding.left_mm, finding.right_mm, *across), self.across_mm, right_mm)
        return self


def _check_within(where: str, places_mm: Sequence[float], low_mm: float, high_mm: float) -> None:
    """Refuse a finding that leaves its frame: the work of joining grows with the length of findings."""
    first, last = min(places_mm), max(places_mm)
    if first < low_mm - ROUNDING_MM or last > high_mm + ROUNDING_MM:
        raise ValueError(
            f"expected findings within their frame, {low_mm:.3f} to {high_mm:.3f} mm {where}, "
            f"got one from {first:.3f} to {last:.3f}"
        )
