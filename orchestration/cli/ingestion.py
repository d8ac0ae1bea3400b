"""`coilwatch ingest`: frames of a coil into Kafka."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest.publisher import Publisher
from ingest.records import check_identifier
from ingest.sources.source import Source
from orchestration.cli.console import frames_progress, say
from orchestration.cli.sources import (
    CoilOption,
    EncodingOption,
    LineOption,
    MmPerPxOption,
    PatternOption,
    SourceArgument,
    line_name,
    open_source,
)
from orchestration.cli.state import state
from orchestration.line import check_run_is_open, next_run
from orchestration.stack import Stack
from orchestration.streaming import Streamed, stream
from workers.report.store import ReportStore

CONNECT_TIMEOUT_S = 5.0
"""Somebody waits for the message that there is no Kafka; one that runs answers in milliseconds."""


def ingest(
    context: typer.Context,
    source: SourceArgument,
    coil: CoilOption,
    speed_mps: Annotated[
        float | None,
        typer.Option(
            "--speed-mps", min=0.001, help="Speed of the strip.", show_default="as fast as Kafka takes it"
        ),
    ] = None,
    line: LineOption = None,
    mm_per_px: MmPerPxOption = None,
    pattern: PatternOption = None,
    encoding: EncodingOption = None,
    run: Annotated[
        int | None,
        typer.Option(
            "--run", min=1, help="Run of the coil id.", show_default="one more than Kafka and reports have"
        ),
    ] = None,
) -> None:
    """Publish the frames of a coil to Kafka; the running line ('coilwatch up') inspects them.

    Example: coilwatch ingest frames/ --coil C1234 --speed-mps 2.5
    """
    settings = state(context).settings
    stack = Stack(settings)
    connection, reports = stack.kafka_connection(), stack.report_store()
    check_identifier("coil", coil)
    store = ReportStore(reports)
    if run is not None:
        check_run_is_open(store, line_name(source, line), coil, run)
    with Publisher(connection, connect_timeout_s=CONNECT_TIMEOUT_S) as publisher:
        run = run or next_run(connection, store, line_name(source, line), coil)
        frames = open_source(
            source,
            coil,
            run=run,
            line_file=line,
            mm_per_px=mm_per_px,
            pattern=pattern,
            encoding=encoding,
            speed_mps=speed_mps,
        )
        published = _publish(frames, publisher, speed_mps)
    command = f"coilwatch report {coil}"
    if reports != settings.reports.store:
        command += f" --reports {reports}"
    say(f"Published {published} frames of coil {coil} run {run}. Its report: {command}")


def _publish(frames: Source, publisher: Publisher, speed_mps: float | None) -> int:
    with frames_progress() as progress:
        task = progress.add_task("Publishing", total=frames.total_frames, note="")

        def show(streamed: Streamed) -> None:
            late = f", {streamed.behind_s:.1f} s behind the strip" if streamed.behind_s > 1 else ""
            progress.update(task, completed=streamed.frames, note=f"{streamed.along_mm / 1000:.1f} m{late}")

        return stream(frames, publisher, speed_mps=speed_mps, progress=show)
