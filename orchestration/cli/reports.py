"""`coilwatch report` and `coilwatch coils`: what is known of coils."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

import typer
from rich.table import Table

from ingest.masking import without_password
from orchestration.cli.console import DECISION_STYLE, out, say
from orchestration.cli.report_view import print_report
from orchestration.cli.state import state
from orchestration.errors import UnreachableError
from orchestration.stack import Stack
from workers.report import numbers
from workers.report.csv_report import events_csv
from workers.report.html_report import html_report
from workers.report.json_report import report_json
from workers.report.store import ReportStore
from workers.streams.live_view import LiveCoil, LiveView
from workers.streams.redis_client import redis_client

Format = Literal["table", "json", "csv", "html"]
CoilArgument = Annotated[str, typer.Argument(help="Id of the coil.")]
LineIdOption = Annotated[
    str | None, typer.Option("--line", help="Id of its line, where several had a coil of this id.")
]
LatestRunOption = Annotated[
    int | None, typer.Option("--run", min=1, help="Run of the coil id.", show_default="the latest")
]
ReportsOption = Annotated[
    str | None,
    typer.Option(
        "--reports",
        help="Folder or URL of the reports.",
        show_default="the setting reports.store (coil-reports)",
    ),
]


def report(
    context: typer.Context,
    coil: CoilArgument,
    line: LineIdOption = None,
    run: LatestRunOption = None,
    output_format: Annotated[Format, typer.Option("--format", help="Form of the report.")] = "table",
    reports: ReportsOption = None,
) -> None:
    """Print the report of a coil: its grade and worst events, or all of it by --format.

    Example: coilwatch report demo-coil --format html > report.html
    """
    store = ReportStore(reports or state(context).settings.reports.store)
    found = store.read(line or store.line_of(coil), coil, run)
    if output_format == "table":
        print_report(found)
    elif output_format == "json":
        typer.echo(report_json(found), nl=False)
    elif output_format == "csv":
        typer.echo(events_csv(found).encode(), nl=False)
    else:
        delivery = store.delivery(found.line, found.coil, found.run)
        typer.echo(html_report(found, delivery).encode(), nl=False)


def coils(
    context: typer.Context,
    reports: ReportsOption = None,
) -> None:
    """List coils: those that run (where the stack is up) and those with a report.

    Example: coilwatch coils
    """
    settings = state(context).settings
    stack = Stack(settings)
    location = reports or settings.reports.store
    store = ReportStore(location)
    table = Table("line", "coil", "run", "state", "events", "length m", "inspected")
    for live in _running(stack, (store, ReportStore(stack.report_store()))):
        frames = f"{live.inspected + live.unreadable} frames"
        table.add_row(
            live.line,
            live.coil,
            str(live.run),
            "running",
            str(live.events),
            f"{live.length_mm / 1000:.1f}",
            frames,
        )
    for summary in store.coils():
        style = DECISION_STYLE[summary.decision]
        table.add_row(
            summary.line,
            summary.coil,
            str(summary.run),
            f"[{style}]{summary.decision}[/{style}]",
            str(summary.events),
            f"{summary.length_mm / 1000:.1f}",
            numbers.percent(summary.coverage_share),
        )
    if table.row_count:
        out.print(table)
    else:
        say(f"No coils in {without_password(location)}. Try: coilwatch demo")


def _running(stack: Stack, stores: Collection[ReportStore]) -> list[LiveCoil]:
    """Coils without a report, none where there is no Redis to ask.

    Redis alone does not know: a worker that died after its report left the coil open there.
    """
    try:
        settings = stack.connected(["redis"]).redis
    except UnreachableError:
        return []
    live_view = LiveView(redis_client(settings.url, settings.client_options()))
    return [
        coil
        for coil in live_view.coils()
        if not coil.closed and not any(store.has(coil.line, coil.coil, coil.run) for store in stores)
    ]
