"""How a coil report looks in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ingest.masking import without_password
from orchestration.cli.console import DECISION_STYLE, harmless, out, say
from orchestration.settings import Settings
from workers.coil.records import CoilReport, DefectEvent
from workers.report import numbers
from workers.report.event_order import numbered_events, worst_first

WORST = 5


def print_report(report: CoilReport, folder: str | Path | None = None) -> None:
    """Print the grade, its reasons and the worst events."""
    style = DECISION_STYLE[report.grade.decision]
    revision = f", revision {report.revision}," if report.revision > 1 else ""
    out.print(
        f"Coil [bold]{report.coil}[/bold] run {report.run}{revision} on {report.line}: "
        f"[{style}]{report.grade.decision.upper()}[/{style}]"
    )
    for reason in report.grade.reasons:
        out.print(f"  - {reason}", markup=False)
    out.print(
        f"  {report.length_mm / 1000:.2f} m, {len(report.events)} defect events, "
        f"{numbers.percent(report.coverage_share)} inspected"
    )
    if report.events:
        out.print(_worst(report))
    if folder is not None:
        out.print(f"Report: {harmless(str(folder))}", markup=False, soft_wrap=True)


def say_other_store(wanted: Settings, running: Settings) -> None:
    """Say where reports go when the line that runs writes them elsewhere than the settings want."""
    if running.reports.store != wanted.reports.store:
        theirs, ours = map(without_password, (running.reports.store, wanted.reports.store))
        say(f"The line that runs writes its reports to {theirs}, not {ours}.")


def _worst(report: CoilReport) -> Table:
    table = Table(
        "event", "side", "at m", "across mm", "size mm", "area mm2", "severity", "class", title="Worst events"
    )
    for number, event in worst_first(numbered_events(report))[:WORST]:
        table.add_row(*_row(number, event))
    return table


def _row(number: int, event: DefectEvent) -> tuple[str, ...]:
    return (
        str(number),
        event.side,
        f"{event.start_mm / 1000:.3f}",
        f"{event.left_mm:.0f}-{event.right_mm:.0f}",
        f"{event.length_mm:.0f} x {event.width_mm:.0f}",
        f"{event.area_mm2:.0f}",
        event.severity,
        escape(event.defect_class),
    )
