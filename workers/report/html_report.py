"""The coil report as one page that needs nothing beside itself: for a browser, a mail or a printer."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from workers.coil.grading import WHOLE_SHARE
from workers.coil.records import CoilReport, DefectEvent
from workers.report import numbers
from workers.report.coil_map import coil_map
from workers.report.delivery import Delivery
from workers.report.event_order import SEVERITIES, numbered_events, worst_first
from workers.report.thumbnails import picture_url

MAX_EVENTS_SHOWN = 5_000
"""A browser lays out that many rows and markers in about a second; the rest stands in the CSV."""

MAX_PICTURES = 1_000
"""At about 5 KB each they make the page at most 5 MB, which still travels by mail."""

VERDICTS = {
    "release": ("\u2713", "Nothing in the rules stands against this coil."),
    "hold": ("!", "A quality engineer decides before this coil ships."),
    "block": ("\u2715", "By the rules this coil must not ship."),
}


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of the table of events."""

    number: int
    event: DefectEvent
    picture: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure: its name, its value with unit, and a line of detail."""

    name: str
    value: str
    detail: str


def html_report(report: CoilReport, delivery: Delivery | None = None) -> str:
    """Render a report as one self-contained HTML page, the same text for equal arguments.

    The page loads nothing, and its content security policy lets nothing run but its own script, so text from
    a record can do no harm in it. Without JavaScript the map and the tables are still there.

    Args:
        report: everything on the page but its last section.
        delivery: how the frames travelled, shown as the last section when given.
    """
    worst = worst_first(numbered_events(report))
    shown = worst[:MAX_EVENTS_SHOWN]
    rows = [
        EventRow(number, event, picture_url(event.thumbnail) if rank < MAX_PICTURES else None)
        for rank, (number, event) in enumerate(shown)
    ]
    symbol, verdict = VERDICTS[report.grade.decision]
    script, style = _page_file("report.js"), _page_file("report.css")
    return _template().render(
        report=report,
        symbol=symbol,
        verdict=verdict,
        figures=key_figures(report),
        map=coil_map(report, shown[::-1]),
        rows=rows,
        severities=[(name, sum(event.severity == name for event in report.events)) for name in SEVERITIES],
        hidden_events=len(worst) - len(shown),
        delivery=delivery_figures(delivery) if delivery else [],
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup(style),  # noqa: S704 - our own file
        script_hash=_csp_hash(script),
    )


def key_figures(report: CoilReport) -> list[Figure]:
    """The figures that a decision needs first."""
    metres_of_strip = report.length_mm / 1000
    rate = (
        f"{100 * len(report.events) / metres_of_strip:.1f} per 100 m"
        if report.events and metres_of_strip > 0
        else "none found"
    )
    left, right = report.strip_left_mm, report.strip_right_mm
    width = f"{numbers.millimetres(right - left)} mm" if left is not None and right is not None else "\u2013"
    edges = "between its edges" if width != "\u2013" else "edges not seen"
    total_area = sum(event.area_mm2 for event in report.events)
    widest = max((max(event.length_mm, event.width_mm) for event in report.events), default=None)
    longest = f"longest {numbers.millimetres(widest)} mm" if widest is not None else "no events"
    return [
        Figure(
            "Length", f"{numbers.metres(report.length_mm)} m", numbers.counted(len(report.cameras), "camera")
        ),
        Figure("Strip width", width, edges),
        Figure("Inspected", numbers.percent(report.coverage_share), _not_inspected(report)),
        Figure("Defect events", numbers.count(len(report.events)), rate),
        Figure("Defect area", numbers.area(total_area), longest),
    ]


def _not_inspected(report: CoilReport) -> str:
    """What is behind the share that was inspected; a camera that never started has no frames to count."""
    unread = sum(camera.unreadable + camera.missing + camera.dark for camera in report.cameras)
    if unread:
        return f"{numbers.counted(unread, 'frame')} not inspected"
    if report.holes:
        return numbers.counted(len(report.holes), "hole")
    whole = all(camera.share >= WHOLE_SHARE for camera in report.cameras)
    return "every frame" if whole else "not the whole strip"


def delivery_figures(delivery: Delivery) -> list[tuple[str, str]]:
    """What is known of the delivery, as pairs of name and value."""
    counts = (
        ("Frames sent", delivery.frames_sent),
        ("Duplicates ignored", delivery.duplicates),
        ("Conflicts", delivery.conflicts),
        ("Late frames", delivery.late_frames),
        ("Dead letters", delivery.dead_letters),
        ("Inspections tried again", delivery.retries),
        ("Answered from the cache", delivery.cache_hits),
        ("Cache not asked, Redis away", delivery.cache_skipped),
        ("Frames through the networks", delivery.network_runs),
    )
    times = (
        ("Started", _clock(delivery.started_at)),
        ("Closed", _clock(delivery.closed_at)),
        ("Elapsed", _seconds(delivery.elapsed_s)),
    )
    return [
        ("Path", "in one process" if delivery.path == "in-process" else "Kafka and Ray Serve"),
        *((name, value) for name, value in times if value is not None),
        *((name, numbers.count(value)) for name, value in counts if value is not None),
    ]


def _clock(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(sep=" ", timespec="seconds")


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("workers.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metres": numbers.metres,
        "millimetres": numbers.millimetres,
        "area": numbers.area,
        "percent": numbers.percent,
        "count": numbers.count,
        "counted": numbers.counted,
    }
    return environment.get_template("report.html")


@cache
def _page_file(name: str) -> str:
    return resources.files("workers.report.page").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"
