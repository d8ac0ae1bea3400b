"""`coilwatch inspect`: a whole coil in one process, no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ingest.records import check_identifier
from ingest.sources.source import Source
from orchestration.cli.console import activity, frames_progress, say
from orchestration.cli.folders import made_folder
from orchestration.cli.report_view import print_report
from orchestration.cli.sources import (
    CoilOption,
    LineOption,
    MmPerPxOption,
    PatternOption,
    SourceArgument,
    line_name,
    open_source,
)
from orchestration.cli.state import state
from orchestration.errors import OrchestrationError
from orchestration.inspector import open_inspector
from orchestration.settings import Settings
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport
from workers.in_process import inspect_coil
from workers.report.store import ReportLocation, ReportStore


class RunRevisedError(OrchestrationError):
    """A run of a coil whose report was revised: no first report may take its place."""


def inspect(
    context: typer.Context,
    source: SourceArgument,
    coil: CoilOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the coil reports.")],
    line: LineOption = None,
    mm_per_px: MmPerPxOption = None,
    pattern: PatternOption = None,
    run: Annotated[
        int | None,
        typer.Option("--run", min=1, help="Run of the coil id.", show_default="one more than --output has"),
    ] = None,
    speed_mps: Annotated[
        float | None,
        typer.Option(
            "--speed-mps", min=0.001, help="Speed of the strip in a video.", show_default="frames adjoin"
        ),
    ] = None,
) -> None:
    """Inspect a whole coil in this process and write its report. Needs no server.

    A coil id that comes again is a new run beside the older ones; --run N of an older one replaces it, unless
    its report was revised. Without line.toml a folder of images is one camera of the top side at 1 mm per
    pixel; of sub-folders each is one, and one called bottom is of the bottom side. An image that cannot be
    read becomes an unreadable frame of the report, and the coil is not released.

    Example: coilwatch inspect frames/ --coil C1234 --output reports/
    """
    settings = state(context).settings
    check_identifier("coil", coil)
    store, coil_line = ReportStore(str(output)), line_name(source, line)
    latest = store.latest_run(coil_line, coil)
    run = run or latest + 1
    _check_replaceable(store, coil_line, coil, run)
    frames = open_source(
        source, coil, run=run, line_file=line, mm_per_px=mm_per_px, pattern=pattern, speed_mps=speed_mps
    )
    made_folder(output)
    if latest:
        say(f"{output} has coil {coil} up to run {latest}: this is run {run}.")
    report, location = inspect_in_process(frames, settings, store)
    print_report(report, location.folder)


def _check_replaceable(store: ReportStore, line: str, coil: str, run: int) -> None:
    """Refuse a run whose report was revised: what was kept of it would no longer be what was revised.

    Raises:
        RunRevisedError: it was.
        StoreError: the store could not be read.
    """
    revision = store.revision(line, coil, run)
    if revision > 1:
        raise RunRevisedError(
            f"coil {coil} run {run}: expected a report of revision 1 to replace, got revision {revision}; "
            "without --run this is a new run"
        )


def inspect_in_process(
    source: Source, settings: Settings, store: ReportStore
) -> tuple[CoilReport, ReportLocation]:
    """Inspect a coil on all processors of this machine, with a progress bar, and write its report."""
    rules = GradingRules.load(settings.grading.file)
    with activity("Loading the network ..."):
        inspector = open_inspector(settings, threads=os.cpu_count() or 1)
    with frames_progress() as progress:
        task = progress.add_task("Inspecting", total=source.total_frames, note="")

        def show(account: CoilAccount) -> None:
            counts = account.counts
            done = counts.inspected + counts.unreadable
            progress.update(task, completed=done, note=f"{counts.events} events")

        coil = inspect_coil(source, inspector, rules=rules, joining=settings.joining, progress=show)
    return coil.report, store.write(coil.report, coil.delivery)
