"""The defect events of a coil as CSV, one row each."""

from __future__ import annotations

import csv
import io

from workers.coil.records import CoilReport, DefectEvent
from workers.report.event_order import numbered_events

COLUMNS = (
    "line",
    "coil",
    "run",
    "event",
    "id",
    "side",
    "severity",
    "class",
    "class_confidence",
    "start_mm",
    "end_mm",
    "left_mm",
    "right_mm",
    "length_mm",
    "width_mm",
    "area_mm2",
    "score",
    "from_left_edge_mm",
    "from_right_edge_mm",
    "findings",
    "frames",
    "cameras",
)

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is run as a formula by spreadsheets (OWASP, CSV injection)."""


def events_csv(report: CoilReport) -> str:
    """The events as CSV (RFC 4180): a header with units in the names, then one row per event, head first.

    Numbers have at most three decimals (micrometres). Text that a spreadsheet would run as a formula
    gets a leading apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(_row(report, number, event) for number, event in numbered_events(report))
    return text.getvalue()


def _row(report: CoilReport, number: int, event: DefectEvent) -> list[str]:
    return [
        _text(report.line),
        _text(report.coil),
        str(report.run),
        str(number),
        event.id,
        event.side,
        event.severity,
        _text(event.defect_class),
        _number(event.class_confidence),
        _number(event.start_mm),
        _number(event.end_mm),
        _number(event.left_mm),
        _number(event.right_mm),
        _number(event.length_mm),
        _number(event.width_mm),
        _number(event.area_mm2),
        _number(event.score),
        _number(event.from_left_edge_mm),
        _number(event.from_right_edge_mm),
        str(event.findings),
        str(event.frames),
        _text(" ".join(event.cameras)),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    # "+ 0.0" turns a negative zero into a plain one.
    return f"{round(value, 3) + 0.0:.3f}".rstrip("0").rstrip(".")


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA_LEADS) else value
