from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ingest.records import MAX_MM, MAX_SIDE_PX, FrameHeader
from tests.workers.inspection.segmentations import frame, strip
from tests.workers.inspection.strategies import headers, regions
from workers.inspection.placing import finding_id, place
from workers.inspection.records import FrameResult, Inspection, ModelIdentity, Region
from workers.inspection.regions import find_regions
from workers.inspection.settings import InspectionSettings

MODEL = ModelIdentity(name="csnet", version="1", digest="ab" * 16)
REGION = Region(
    component=2,
    score=0.75,
    area_px=24,
    top=10,
    left=20,
    bottom=14,
    right=26,
    outline=((10, 20), (14, 20), (14, 26), (10, 26)),
    thumbnail="picture",
)


def header(**changes: object) -> FrameHeader:
    return frame(strip(100, 150)).header.model_copy(update=changes)


def test_pixels_become_millimetres() -> None:
    result = FrameResult(
        status="inspected",
        model=MODEL,
        strip_left=8,
        regions=(REGION,),
        further_regions=3,
        further_area_px=40,
    )

    placed = place(header(), result)

    # 1000 mm along and 200 mm across, 0.5 mm a row and 0.25 mm a column.
    (finding,) = placed.findings
    assert (finding.start_mm, finding.end_mm, finding.left_mm, finding.right_mm) == (1005, 1007, 205, 206.5)
    assert finding.outline == ((1005, 205), (1007, 205), (1007, 206.5), (1005, 206.5))
    assert (finding.area_mm2, finding.score, finding.component) == (3, 0.75, 2)
    assert (finding.thumbnail, finding.id) == ("picture", finding_id(header(), 2))
    assert (placed.further_findings, placed.further_area_mm2) == (3, 5)
    assert (placed.left_edge_mm, placed.right_edge_mm) == (202, None)
    assert (placed.status, placed.model) == ("inspected", MODEL)


def test_identity_and_extent_are_the_headers() -> None:
    head = header(sequence=4, run=2)

    placed = place(head, FrameResult(status="inspected", model=MODEL))

    for name in set(FrameHeader.model_fields) - {"schema_version", "encoding", "captured_at"}:
        assert getattr(placed, name) == getattr(head, name), name


def test_an_unreadable_frame_keeps_its_place_and_reason() -> None:
    placed = place(header(), FrameResult(status="unreadable", reason="PNG is cut off"))

    assert (placed.status, placed.reason, placed.model) == ("unreadable", "PNG is cut off", None)
    assert (placed.left_edge_mm, placed.right_edge_mm, placed.findings) == (None, None, ())
    assert placed.along_mm == 1000


@pytest.mark.parametrize("edges", [(0, 0), (40, 57), (40, 71)])
def test_no_strip_and_a_stuck_column_in_the_dark_leave_a_frame_without_strip(edges: tuple[int, int]) -> None:
    result = FrameResult(status="inspected", model=MODEL, strip_left=edges[0], strip_right=edges[1])

    placed = place(header(), result)

    assert (placed.left_edge_mm, placed.right_edge_mm, placed.strip_mm) == (200, 200, 0)
    assert Inspection.from_json(placed.to_json()).strip_mm == 0


@pytest.mark.parametrize(
    ("edges", "strip_mm"),
    [((None, None), 37.5), ((3, None), 36.75), ((None, 90), 22.5), ((None, 8), 2), ((40, 72), 8)],
)
def test_the_width_of_strip_in_a_frame(edges: tuple[int | None, int | None], strip_mm: float) -> None:
    result = FrameResult(status="inspected", model=MODEL, strip_left=edges[0], strip_right=edges[1])

    assert place(header(), result).strip_mm == strip_mm


def test_positions_carry_no_float_noise() -> None:
    result = FrameResult(status="inspected", model=MODEL, regions=(REGION,))

    (finding,) = place(header(along_mm=0.1, mm_per_row=0.1), result).findings

    assert (finding.start_mm, finding.end_mm) == (1.1, 1.5)


def test_a_region_over_the_largest_frame_is_placed() -> None:
    side = MAX_SIDE_PX
    head = header(
        along_mm=-MAX_MM, across_mm=-MAX_MM, mm_per_row=1e3, mm_per_column=1e3, height=side, width=side
    )
    whole = REGION.model_copy(update={"area_px": side**2, "bottom": side, "right": side})
    (found,) = place(head, FrameResult(status="inspected", model=MODEL, regions=(whole,))).findings
    assert found.area_mm2 == (side * 1e3) ** 2


@settings(max_examples=300)
@given(data=st.data())
def test_a_region_of_a_frame_is_placed_in_it_whatever_its_place_and_scale(data: st.DataObject) -> None:
    head = data.draw(headers())
    found = tuple(data.draw(st.lists(regions(head), max_size=3)))

    placed = place(head, FrameResult(status="inspected", model=MODEL, strip_right=head.width, regions=found))

    assert Inspection.from_json(placed.to_json()) == placed


@settings(max_examples=100)
@given(
    saliency=arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2), elements=st.sampled_from((0, 255))),
    most_points=st.integers(4, 8),
    data=st.data(),
)
def test_what_is_found_in_a_frame_is_placed_in_it(
    saliency: NDArray[np.uint8], most_points: int, data: st.DataObject
) -> None:
    limits = InspectionSettings(min_area_px=1, max_outline_points=most_points)
    found = find_regions(saliency, saliency, limits, peak=1).whole
    head = data.draw(headers(size=st.just(saliency.shape)))

    placed = place(head, FrameResult(status="inspected", model=MODEL, regions=found))

    assert len(placed.findings) == len(found)


@pytest.mark.parametrize(
    "changes",
    [{"line": "b"}, {"coil": "b"}, {"run": 2}, {"side": "bottom"}, {"camera": "b"}, {"sequence": 1}],
    ids=str,
)
def test_ids_follow_identity_and_nothing_else(changes: dict[str, object]) -> None:
    assert finding_id(header(**changes), 0) != finding_id(header(), 0)
    assert finding_id(header(along_mm=5.0, digest="f" * 32), 0) == finding_id(header(), 0)
    assert finding_id(header(), 1) != finding_id(header(), 0)
