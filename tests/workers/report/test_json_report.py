from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from tests.workers.report import example
from tests.workers.report.strategies import reports
from workers.coil.records import CoilReport
from workers.report.errors import BadReportError
from workers.report.json_report import read_report, report_json, report_schema, schema_json

PUBLISHED = Path(__file__).parents[3] / "docs" / "report-schema.json"


@settings(max_examples=60)
@given(reports())
def test_a_report_survives_its_json(report: CoilReport) -> None:
    data = report_json(report)
    assert read_report(data) == report
    assert report_json(read_report(data)) == data
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1


def test_equal_reports_made_apart_give_equal_bytes() -> None:
    assert report_json(example.coil()) == report_json(example.coil())


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(report_json(example.coil()))
    assert read_report(path) == example.coil()


def _changed(**changes: object) -> bytes:
    return json.dumps(json.loads(report_json(example.coil())) | changes).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "Invalid JSON", id="empty"),
        pytest.param(b"[]", "got \\[\\]", id="no object"),
        pytest.param(_changed(schema_version=2), "schema_version.*got 2", id="another schema"),
        pytest.param(_changed(coil="../x"), "coil.*'../x'", id="hostile id"),
        pytest.param(_changed(weather="fine"), "weather", id="unknown field"),
        pytest.param(_changed(length_mm=None), "length_mm.*None", id="missing length"),
    ],
)
def test_bad_json_is_refused_by_field(data: bytes, says: str) -> None:
    with pytest.raises(BadReportError, match=says):
        read_report(data)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadReportError, match=r"nothing\.json: expected a report\.json, No such file"):
        read_report(tmp_path / "nothing.json")
    (tmp_path / "cut.json").write_bytes(report_json(example.coil())[:100])
    with pytest.raises(BadReportError, match=r"cut\.json: CoilReport: "):
        read_report(tmp_path / "cut.json")


def test_the_schema_fits_reports_and_only_those() -> None:
    validator = jsonschema.Draft202012Validator(report_schema())
    jsonschema.Draft202012Validator.check_schema(report_schema())
    validator.validate(json.loads(report_json(example.coil())))
    for wrong in (_changed(coil="../x"), _changed(weather="fine"), _changed(length_mm="long")):
        assert not validator.is_valid(json.loads(wrong))


def test_the_published_schema_is_current() -> None:
    assert PUBLISHED.read_bytes() == schema_json(), "run scripts/report-schema"
