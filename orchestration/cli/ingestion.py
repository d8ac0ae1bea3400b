"""`coilwatch ingest`: frames of a coil into Kafka."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import Progress

from ingest.publisher import Publisher
from ingest.records import check_identifier, first_problem
from ingest.sources.source import Source
from ingest.spool_backlog import Backlog
from ingest.spool_outbox import WhenFull
from ingest.spool_publisher import SpoolingPublisher, SpoolOptions
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
from orchestration.cli.spool_view import BacklogColumn, SpoolTeller
from orchestration.cli.state import state
from orchestration.errors import SettingsError
from orchestration.line import check_run_is_open, next_run
from orchestration.settings import SpoolSettings
from orchestration.spooled_runs import spooled_run
from orchestration.stack import Stack
from orchestration.streaming import Streamed, stream
from workers.report.store import ReportStore

CONNECT_TIMEOUT_S = 5.0
"""Somebody waits for the message that there is no Kafka; one that runs answers in milliseconds."""
SAFE_TOLD_AFTER_S = 3.0
"""What is under way at the end of a coil takes less, as long as Kafka is there."""


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
    spool: Annotated[
        Path | None,
        typer.Option(
            "--spool",
            help="Folder for frames that Kafka does not take in time: the source need not wait, and a "
            "publisher that was killed goes on from there.",
            show_default="the setting spool.directory (none: the source waits)",
        ),
    ] = None,
    spool_limit: Annotated[
        str | None,
        typer.Option(
            "--spool-limit",
            help="What the spool may take, as in 20GB.",
            show_default="the setting spool.limit_bytes (10GB)",
        ),
    ] = None,
    when_full: Annotated[
        WhenFull | None,
        typer.Option(
            "--when-full",
            help="At the limit make the source wait, or drop the oldest frames: the report names them.",
            show_default="the setting spool.when_full (block)",
        ),
    ] = None,
) -> None:
    """Publish the frames of a coil to Kafka; the running line ('coilwatch up') inspects them.

    With --spool the command may be started before a Kafka that the settings name is there, and once more
    after it was killed: it goes on behind the last frame that was safe.

    Example: coilwatch ingest frames/ --coil C1234 --speed-mps 2.5
    """
    settings = state(context).settings
    options = _spool_settings(settings.spool, spool, spool_limit, when_full)
    stack = Stack(settings)
    connection, reports = stack.kafka_connection(), stack.report_store()
    check_identifier("coil", coil)
    store = ReportStore(reports)
    coil_line = line_name(source, line)
    if run is not None:
        check_run_is_open(store, coil_line, coil, run)

    def opened(run: int) -> Source:
        return open_source(
            source,
            coil,
            run=run,
            line_file=line,
            mm_per_px=mm_per_px,
            pattern=pattern,
            encoding=encoding,
            speed_mps=speed_mps,
        )

    if options.directory is None:
        with Publisher(connection, connect_timeout_s=CONNECT_TIMEOUT_S) as publisher:
            run = run or next_run(connection, store, coil_line, coil)
            published = _publish(opened(run), publisher, speed_mps)
    else:
        with SpoolingPublisher(connection, _spool_options(options.directory, options)) as spooling:
            run = run or spooled_run(connection, store, spooling, (coil_line, coil), say)
            published = _publish_by_spool(opened(run), spooling, speed_mps, options.directory)
    command = f"coilwatch report {coil}"
    if reports != settings.reports.store:
        command += f" --reports {reports}"
    say(f"Published {published} frames of coil {coil} run {run}. Its report: {command}")


def _spool_settings(
    settings: SpoolSettings, directory: Path | None, limit: str | None, when_full: WhenFull | None
) -> SpoolSettings:
    given = {"directory": directory, "limit_bytes": limit, "when_full": when_full}
    changed = {name: value for name, value in given.items() if value is not None}
    try:
        return SpoolSettings.model_validate(settings.model_dump() | changed)
    except ValidationError as error:
        raise SettingsError(f"--spool-limit: {first_problem(error)}") from None


def _spool_options(directory: Path, settings: SpoolSettings) -> SpoolOptions:
    return SpoolOptions(directory, int(settings.limit_bytes), settings.when_full)


def _publish(frames: Source, publisher: Publisher, speed_mps: float | None) -> int:
    with frames_progress() as bars:
        return stream(frames, publisher, speed_mps=speed_mps, progress=_shown(bars, frames))


def _publish_by_spool(
    frames: Source, publisher: SpoolingPublisher, speed_mps: float | None, where: Path
) -> int:
    """Publish a coil and wait until Kafka has all of it, saying what is on disk meanwhile."""

    def backlog() -> Backlog:
        return publisher.backlog

    with SpoolTeller(where, backlog), frames_progress(BacklogColumn(backlog)) as bars:
        published = stream(frames, publisher, speed_mps=speed_mps, progress=_shown(bars, frames))
        if not publisher.wait_delivered(SAFE_TOLD_AFTER_S):
            say(f"All frames are safe in {where}. Waiting for Kafka; whoever comes next sends them.")
            publisher.wait_delivered()
    return published


def _shown(bars: Progress, frames: Source) -> Callable[[Streamed], None]:
    task = bars.add_task("Publishing", total=frames.total_frames, note="")

    def show(streamed: Streamed) -> None:
        late = f", {streamed.behind_s:.1f} s behind the strip" if streamed.behind_s > 1 else ""
        bars.update(task, completed=streamed.frames, note=f"{streamed.along_mm / 1000:.1f} m{late}")

    return show
