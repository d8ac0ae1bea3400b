"""`coilwatch demo`: the sample coil from camera frames to coil report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ingest.publisher import Publisher
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from orchestration.cli.browser import can_show, show
from orchestration.cli.console import activity, frames_progress, say
from orchestration.cli.demo_view import DemoView
from orchestration.cli.folders import made_folder
from orchestration.cli.inspection import inspect_in_process
from orchestration.cli.report_view import print_report, say_other_store
from orchestration.cli.state import state
from orchestration.line import next_run, start_line, stop_line, wait_for_report
from orchestration.settings import Settings
from orchestration.stack import Stack
from orchestration.streaming import stream
from workers.coil.records import CoilReport
from workers.report.store import ReportStore

REPORT_TIMEOUT_S = 300.0
"""How long after the last frame the report is waited for; a slow machine needs about a minute."""


def demo(
    context: typer.Context,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="One process, no server: no Java needed, the same report.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the reports.",
            show_default="the setting reports.store (coil-reports)",
        ),
    ] = None,
    length_m: Annotated[
        float, typer.Option("--length-m", min=0.5, max=1000, help="Length of the coil.")
    ] = 24.0,
    speed_mps: Annotated[float, typer.Option("--speed-mps", min=0.01, help="Speed of the strip.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another coil.")] = 7,
    open_report: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Show the report in the browser.",
            show_default="open, on a terminal of a desktop",
        ),
    ] = None,
) -> None:
    """Run the sample coil through Kafka, Ray Serve and Redis, and show its report.

    Starts what is not running and stops what it started; a line that runs already is used as it is, with its
    own settings and report folder.

    Example: coilwatch demo --speed-mps 2
    """
    coil = SimulatedCoil(length_m=length_m, seed=seed)
    settings = state(context).settings
    if output is not None:
        settings = settings.with_reports(made_folder(output))
    run = _in_process if in_process else partial(_distributed, speed_mps=speed_mps)
    report, store = run(coil, settings)
    page = f"{store.folder(report.line, report.coil, report.run)}/report.html"
    print_report(report, page)
    if store.is_local and (can_show() if open_report is None else open_report):
        show(Path(page))


def _in_process(coil: SimulatedCoil, settings: Settings) -> tuple[CoilReport, ReportStore]:
    store = ReportStore(settings.reports.store)
    source = SimulatedSource(coil, run=store.latest_run(coil.line, coil.coil) + 1)
    report, _ = inspect_in_process(source, settings, store)
    return report, store


def _distributed(
    coil: SimulatedCoil, settings: Settings, *, speed_mps: float
) -> tuple[CoilReport, ReportStore]:
    stack = Stack(settings)
    try:
        with activity("Looking for Kafka, Valkey and Ray ...") as tell:
            connected = start_line(stack, progress=tell, roll_out=False)
        say_other_store(settings, connected)
        if not stack.runs_by(connected):
            say("The line that runs has other settings and keeps them; `coilwatch up` rolls these out.")
        return _stream_and_wait(coil, connected, speed_mps)
    finally:
        with activity("Stopping what was started ..."):
            stop_line(stack, started_only=True)


def _stream_and_wait(
    coil: SimulatedCoil, settings: Settings, speed_mps: float
) -> tuple[CoilReport, ReportStore]:
    connection, store = settings.kafka.connection(), ReportStore(settings.reports.store)
    run = next_run(connection, store, coil.line, coil.coil)
    source = SimulatedSource(coil, run=run)
    with (
        Publisher(connection) as publisher,
        frames_progress() as bars,
        ThreadPoolExecutor(1, thread_name_prefix="cameras") as cameras,
    ):
        view = DemoView(bars, source.total_frames)
        view.sending = cameras.submit(stream, source, publisher, speed_mps=speed_mps, progress=view.sent)
        try:
            wait_for_report(
                settings,
                (coil.line, coil.coil, run),
                timeout_s=REPORT_TIMEOUT_S + coil.along_mm(coil.frames_per_camera) / 1000 / speed_mps,
                progress=view.inspected,
            )
        finally:
            view.stop_sending()
        report = store.read(coil.line, coil.coil, run)
        view.reported(report)
    return report, store
