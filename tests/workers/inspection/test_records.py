"""Inspection records that no inspector makes are refused where they are read."""

from __future__ import annotations

import json

import pytest

from ingest.errors import BadRecordError
from ingest.records import MAX_MM
from tests.workers.coil.records import box, finding, inspection
from workers.inspection.records import Inspection


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
