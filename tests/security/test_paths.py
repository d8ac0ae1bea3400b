"""No id of a line, coil or camera names a place outside its folder, whoever writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.errors import IngestError
from ingest.line import Line
from ingest.records import FrameHeader
from tests.ingest.spooling import header
from tests.workers.report import example
from workers.report.delivery import Delivery
from workers.report.errors import BadNameError
from workers.report.store import ReportStore

HOSTILE = (
    "../x",
    "..",
    "/etc/x",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "",
    ".hidden",
    "-x",
    "a" * 65,
    "%2e%2e",
    "C:x",
)

hostile_ids = pytest.mark.parametrize("name", HOSTILE)


@hostile_ids
@pytest.mark.parametrize("what", ["line", "coil"])
def test_the_report_store_writes_nowhere_else(tmp_path: Path, what: str, name: str) -> None:
    root = tmp_path / "reports"
    report = example.coil().model_copy(update={what: name})
    with pytest.raises(BadNameError):
        ReportStore(str(root)).write(report, Delivery())
    assert list(tmp_path.iterdir()) == []


@hostile_ids
@pytest.mark.parametrize("what", ["line", "coil", "camera"])
def test_frames_of_such_names_are_refused(what: str, name: str) -> None:
    value = header(0).model_copy(update={what: name}).to_json()
    with pytest.raises(IngestError, match=what):
        FrameHeader.from_json(value)


@hostile_ids
def test_line_descriptions_of_such_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Line.model_validate({"name": name, "cameras": []})
