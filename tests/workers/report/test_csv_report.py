from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings

from tests.workers.report import example
from tests.workers.report.strategies import reports
from workers.coil.records import CoilReport
from workers.report.csv_report import COLUMNS, FORMULA_LEADS, events_csv


def rows(report: CoilReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(events_csv(report), newline="")))


def test_one_row_per_event_from_the_head_with_units_in_the_header() -> None:
    table = rows(example.coil())
    assert [row["start_mm"] for row in table] == ["1250", "3900", "9420", "11305", "19040"]
    assert [row["event"] for row in table] == ["1", "2", "3", "4", "5"]
    assert table[0] | {"id": "", "score": ""} == {
        "line": "line-1",
        "coil": "C-1042",
        "run": "1",
        "event": "1",
        "id": "",
        "side": "top",
        "severity": "moderate",
        "class": "inclusion",
        "class_confidence": "0.934",
        "start_mm": "1250",
        "end_mm": "1296",
        "left_mm": "210",
        "right_mm": "228",
        "length_mm": "46",
        "width_mm": "18",
        "area_mm2": "579.6",
        "score": "",
        "from_left_edge_mm": "150",
        "from_right_edge_mm": "672",
        "findings": "1",
        "frames": "1",
        "cameras": "camera-1",
    }


def test_a_coil_without_events_has_the_header_alone() -> None:
    assert events_csv(example.report()) == ",".join(COLUMNS) + "\r\n"


def test_what_was_not_seen_is_empty_and_numbers_stay_numbers() -> None:
    report = example.report(example.event(-12.34567, 5, from_left_edge_mm=None, from_right_edge_mm=-0.0001))
    (row,) = rows(report)
    assert (row["start_mm"], row["from_left_edge_mm"], row["from_right_edge_mm"]) == ("-12.346", "", "0")


@pytest.mark.parametrize("lead", FORMULA_LEADS)
def test_text_that_a_spreadsheet_would_run_is_neutralised(lead: str) -> None:
    hostile = f'{lead}HYPERLINK("http://example.com")'
    (row,) = rows(example.report(example.event(1, 1, cameras=(hostile,), defect_class=hostile)))
    assert row["cameras"] == row["class"] == f"'{hostile}"


@settings(max_examples=40)
@given(reports())
def test_every_row_has_every_cell_and_no_formula(report: CoilReport) -> None:
    table = rows(report)
    assert len(table) == len(report.events)
    for row in table:
        assert tuple(row) == COLUMNS
        assert not row["cameras"].startswith(FORMULA_LEADS)
        assert float(row["length_mm"]) == pytest.approx(
            float(row["end_mm"]) - float(row["start_mm"]), abs=0.002
        )
