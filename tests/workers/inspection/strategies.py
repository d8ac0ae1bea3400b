"""Hypothesis strategies for frames of any size and place, and what may be found in them."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from ingest.records import MAX_MM, MAX_SIDE_PX, FrameHeader
from workers.inspection.records import ModelIdentity, Region

MODEL = ModelIdentity(name="csnet", version="1", digest="ab" * 16)
scales = st.sampled_from((1e-6, 0.1, 1 / 3, 0.5, 1000.0)) | st.floats(0, 1000, exclude_min=True)
sides_px = st.sampled_from((1, 200, MAX_SIDE_PX)) | st.integers(1, MAX_SIDE_PX)
sizes = st.tuples(sides_px, sides_px)


@st.composite
def headers(
    draw: st.DrawFn, sequence: int = 0, size: st.SearchStrategy[tuple[int, int]] = sizes
) -> FrameHeader:
    """Headers that validate, up to the bounds of strip."""
    (height, width), mm_per_row, mm_per_column = draw(st.tuples(size, scales, scales))
    along_mm, across_mm = draw(st.tuples(starts_mm(height * mm_per_row), starts_mm(width * mm_per_column)))
    return FrameHeader(
        line="line-1",
        coil="C-7",
        side="top",
        camera=draw(st.sampled_from(("left", "right"))),
        sequence=sequence,
        along_mm=along_mm,
        across_mm=across_mm,
        mm_per_row=mm_per_row,
        mm_per_column=mm_per_column,
        height=height,
        width=width,
        encoding="raw",
        digest="0" * 32,
    )


@st.composite
def starts_mm(draw: st.DrawFn, extent_mm: float) -> float:
    last = MAX_MM - extent_mm
    start = draw(st.sampled_from((-MAX_MM, -2e7, last)) | st.floats(-MAX_MM, last))
    assume(start + extent_mm <= MAX_MM)
    return start


@st.composite
def regions(draw: st.DrawFn, header: FrameHeader) -> Region:
    """Regions anywhere in a frame, often up to its borders."""
    rows = sorted(draw(st.lists(places(header.height), min_size=2, max_size=2, unique=True)))
    columns = sorted(draw(st.lists(places(header.width), min_size=2, max_size=2, unique=True)))
    (top, bottom), (left, right) = rows, columns
    return Region(
        component=0,
        score=0.5,
        area_px=(bottom - top) * (right - left),
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        outline=((top, left), (bottom, left), (bottom, right), (top, right)),
        thumbnail="picture",
    )


def places(side_px: int) -> st.SearchStrategy[int]:
    return st.sampled_from((0, side_px)) | st.integers(0, side_px)
