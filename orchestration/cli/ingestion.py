"""`coilwatch ingest`: frames of a coil into Kafka."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest.publisher import Publisher
from ingest.sources.source import Source
from orchestration.cli.console import err, frames_progress
from orchestration.cli.sources import (
    CoilOption,
    EncodingOption,
    LineOption,
    MmPerPxOption,
    PatternOption,
    SourceArgument,
    open_source,
)
from orchestration.cli.state import state
from orchestration.stack import Stack
from orchestration.streaming import Streamed, stream
from workers.streams.runs import latest_run


def ingest(
    context: typer.Context,
    source: SourceArgument,
    coil: CoilOption,
    speed_mps: Annotated[
        float | None,
        typer.Option("--speed-mps", min=0.001, help="Speed of the strip [default: as fast as it goes]"),
    ] = None,
    line: LineOption = None,
    mm_per_px: MmPerPxOption = None,
    pattern: PatternOption = None,
    encoding: EncodingOption = None,
    run: Annotated[
        int | None,
        typer.Option("--run", min=1, help="Run of the coil id [default: one more than Kafka knows]"),
    ] = None,
) -> None:
    """Publish the frames of a coil to Kafka; the running line ('coilwatch up') inspects them.

    Example: coilwatch ingest frames/ --coil C1234 --speed-mps 2.5
    """
    settings = state(context).settings
    connection = Stack(settings).kafka_connection()

    def of_run(number: int) -> Source:
        return open_source(
            source,
            coil,
            run=number,
            line_file=line,
            mm_per_px=mm_per_px,
            pattern=pattern,
            encoding=encoding,
            speed_mps=speed_mps,
        )

    number = run or latest_run(connection, of_run(1).opened().line, coil) + 1
    frames = of_run(number)
    with Publisher(connection) as publisher, frames_progress() as progress:
        task = progress.add_task("Publishing", total=frames.total_frames, note=f"run {number}")

        def show(streamed: Streamed) -> None:
            late = f", {streamed.behind_s:.1f} s behind the strip" if streamed.behind_s > 1 else ""
            progress.update(task, completed=streamed.frames, note=f"{streamed.along_mm / 1000:.1f} m{late}")

        published = stream(frames, publisher, speed_mps=speed_mps, progress=show)
    err.print(
        f"Published {published} frames of coil {coil} run {number}. Its report: coilwatch report {coil}"
    )
