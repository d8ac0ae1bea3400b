"""Puts a frame's result, which is in pixels, on the strip: identity, ids and millimetres."""

from __future__ import annotations

from ingest.records import FrameHeader, bytes_digest
from workers.inspection.records import Finding, FrameResult, Inspection, Region

DECIMALS = 3
"""Micrometres. Finer digits would be float noise, and the same on no two machines."""
LEAST_STRIP_PX = 32
"""Less than that between two edges is no strip: a column of the sensor that is stuck, in the dark."""


def place(header: FrameHeader, result: FrameResult) -> Inspection:
    """The inspection record of a frame.

    Args:
        header: who the frame is and where its pixels lie on the strip.
        result: what was found in its pixels, perhaps in another frame of equal pixels.
    """
    left, right = _strip(result)
    return Inspection(
        line=header.line,
        coil=header.coil,
        run=header.run,
        side=header.side,
        camera=header.camera,
        sequence=header.sequence,
        along_mm=header.along_mm,
        across_mm=header.across_mm,
        mm_per_row=header.mm_per_row,
        mm_per_column=header.mm_per_column,
        height=header.height,
        width=header.width,
        digest=header.digest,
        status=result.status,
        reason=result.reason,
        model=result.model,
        left_edge_mm=_edge(header, left),
        right_edge_mm=_edge(header, right),
        findings=tuple(_finding(header, region) for region in result.regions),
        further_findings=result.further_regions,
        further_area_mm2=_area(header, result.further_area_px),
    )


def finding_id(header: FrameHeader, component: int) -> str:
    """Id of a finding, derived from what it is: equal wherever and whenever it is computed."""
    parts = (header.line, header.coil, header.run, header.side, header.camera, header.sequence, component)
    return bytes_digest("/".join(map(str, parts)).encode())


def _finding(header: FrameHeader, region: Region) -> Finding:
    return Finding(
        id=finding_id(header, region.component),
        component=region.component,
        score=region.score,
        area_mm2=_area(header, region.area_px),
        start_mm=_along(header, region.top),
        end_mm=_along(header, region.bottom),
        left_mm=_across(header, region.left),
        right_mm=_across(header, region.right),
        outline=tuple((_along(header, row), _across(header, column)) for row, column in region.outline),
        thumbnail=region.thumbnail,
        defect_class=region.defect_class,
        class_confidence=region.class_confidence,
    )


def _along(header: FrameHeader, row: int) -> float:
    return round(header.along_mm + row * header.mm_per_row, DECIMALS)


def _across(header: FrameHeader, column: int) -> float:
    return round(header.across_mm + column * header.mm_per_column, DECIMALS)


def _strip(result: FrameResult) -> tuple[int | None, int | None]:
    """Columns of the strip's edges; both 0 where there is no strip."""
    left, right = result.strip_left, result.strip_right
    has_strip = left is None or right is None or right - left >= LEAST_STRIP_PX
    return (left, right) if has_strip else (0, 0)


def _edge(header: FrameHeader, column: int | None) -> float | None:
    return None if column is None else _across(header, column)


def _area(header: FrameHeader, area_px: int) -> float:
    return round(area_px * header.mm_per_row * header.mm_per_column, DECIMALS)
