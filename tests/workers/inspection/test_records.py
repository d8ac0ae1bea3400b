"""Inspection records that no inspector makes are refused where they are read."""

from __future__ import annotations

import json

import pytest

from ingest.errors import BadRecordError
from ingest.records import MAX_MM
from tests.workers.coil.records import Points, box, finding, inspection
from workers.inspection.records import MOST_FINDINGS, MOST_OUTLINE_POINTS, Inspection


@pytest.mark.parametrize(("field", "where"), [("along_mm", "along"), ("across_mm", "across")])
def test_a_frame_that_ends_beyond_any_strip_is_refused(field: str, where: str) -> None:
    record = json.loads(inspection(0).to_json()) | {field: MAX_MM - 1}
    with pytest.raises(BadRecordError, match=f"expected a frame that ends at 30000000 mm {where} at most"):
        Inspection.from_json(json.dumps(record))


def test_a_finding_without_an_outline_is_refused() -> None:
    record = json.loads(inspection(0, finding(box(0, 10, 0, 10))).to_json())
    record["findings"][0]["outline"] = []
    with pytest.raises(BadRecordError, match=r"findings\.0\.outline"):
        Inspection.from_json(json.dumps(record))


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        (box(-0.002, 10, 0, 10), "0.000 to 100.000 mm along, got one from -0.002 to .*"),
        (box(90, 100.002, 0, 10), "0.000 to 100.000 mm along, got one from .* to 100.002"),
        (box(-MAX_MM, MAX_MM, 0, 10), "got one from -30000000.000 to 30000000.000"),
        (box(0, 10, -1, 10), "0.000 to 200.000 mm across, got one from -1.000 to .*"),
        (box(0, 10, 190, 201), "0.000 to 200.000 mm across, got one from .* to 201.000"),
    ],
    ids=["before", "behind", "as long as any strip", "left", "right"],
)
@pytest.mark.parametrize("strays", ["box", "outline"])
def test_a_finding_that_leaves_its_frame_is_refused(outline: Points, message: str, strays: str) -> None:
    inside = finding(box(10, 20, 10, 20))
    fields = {"outline"} if strays == "outline" else {"start_mm", "end_mm", "left_mm", "right_mm"}
    stray = finding(outline).model_dump(include=fields)
    record = json.loads(inspection(0, inside).to_json())
    record["findings"][0] |= stray

    with pytest.raises(BadRecordError, match="expected findings within their frame, .*" + message):
        Inspection.from_json(json.dumps(record))


def test_a_finding_may_reach_over_its_frames_border_by_the_rounding_of_its_places() -> None:
    record = inspection(0, finding(box(-0.0005, 100.0005, -0.0005, 200.0005)))
    assert Inspection.from_json(record.to_json()) == record


def test_more_findings_or_corners_than_settings_allow_are_refused() -> None:
    most = [finding(box(n / 10, 50, 0, 10)) for n in range(MOST_FINDINGS)]
    record = json.loads(inspection(0, *most).to_json())
    assert len(Inspection.from_json(json.dumps(record)).findings) == MOST_FINDINGS

    record["findings"].append(record["findings"][0])
    with pytest.raises(BadRecordError, match=r"findings: .*at most 200"):
        Inspection.from_json(json.dumps(record))
    record["findings"] = record["findings"][:1]
    record["findings"][0]["outline"] = [(0, 0)] * (MOST_OUTLINE_POINTS + 1)
    with pytest.raises(BadRecordError, match=r"findings\.0\.outline: .*at most 256"):
        Inspection.from_json(json.dumps(record))
