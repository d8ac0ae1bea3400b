"""`coilwatch inspect` and `coilwatch segment`: the work in one process, no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import cv2
import typer
from models.segmenter import Segmenter

from ingest.codecs import decode_image
from ingest.errors import BadImageError, SourceError
from ingest.sources.layout import IMAGE_SUFFIXES, images_in
from ingest.sources.source import Source
from orchestration.cli.console import err, frames_progress
from orchestration.cli.report_view import print_report
from orchestration.cli.sources import (
    CoilOption,
    LineOption,
    MmPerPxOption,
    PatternOption,
    SourceArgument,
    open_source,
)
from orchestration.cli.state import state
from orchestration.inspector import open_inspector
from orchestration.settings import Settings
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport
from workers.in_process import inspect_coil
from workers.report.store import ReportLocation, ReportStore


def inspect(
    context: typer.Context,
    source: SourceArgument,
    coil: CoilOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the coil reports.")],
    line: LineOption = None,
    mm_per_px: MmPerPxOption = None,
    pattern: PatternOption = None,
    speed_mps: Annotated[
        float | None,
        typer.Option("--speed-mps", min=0.001, help="Speed of the strip in a video [default: frames adjoin]"),
    ] = None,
) -> None:
    """Inspect a whole coil in this process and write its report. Needs no server.

    Without line.toml a folder is one camera at 1 mm per pixel.

    Example: coilwatch inspect frames/ --coil C1234 --output reports/
    """
    settings = state(context).settings
    frames = open_source(
        source, coil, line_file=line, mm_per_px=mm_per_px, pattern=pattern, speed_mps=speed_mps
    )
    report, location = inspect_in_process(frames, settings, str(output))
    print_report(report, location.folder)


def inspect_in_process(source: Source, settings: Settings, store: str) -> tuple[CoilReport, ReportLocation]:
    """Inspect a coil on all processors of this machine, with a progress bar, and write its report."""
    with err.status("Loading the network ..."):
        inspector = open_inspector(settings, threads=os.cpu_count() or 1)
    rules = GradingRules.load(settings.grading.file)
    with frames_progress() as progress:
        task = progress.add_task("Inspecting", total=source.total_frames, note="")

        def show(account: CoilAccount) -> None:
            counts = account.counts
            done = counts.inspected + counts.unreadable
            progress.update(task, completed=done, note=f"{counts.events} events")

        coil = inspect_coil(source, inspector, rules=rules, joining=settings.joining, progress=show)
    return coil.report, ReportStore(store).write(coil.report, coil.delivery)


def segment(
    context: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of images, or one image.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the saliency maps.")],
    model: Annotated[str | None, typer.Option("--model", help="Name of shipped weights, or a file.")] = None,
) -> None:
    """Write the saliency map of each image, an 8-bit PNG of the image's size.

    An image that cannot be read is named and costs no other one; the exit code is then 1.

    Example: coilwatch segment images/ --output maps/
    """
    settings = state(context).settings
    files = (images,) if images.is_file() else images_in(images)
    if not files:
        raise SourceError(f"no images in {images}: expected {', '.join(IMAGE_SUFFIXES)}")
    with err.status("Loading the network ..."):
        segmenter = Segmenter.open(
            model or settings.model.name,
            backend=settings.model.backend,
            precision=settings.model.precision,
            threads=os.cpu_count() or 1,
        )
    output.mkdir(parents=True, exist_ok=True)
    unread = 0
    with frames_progress() as progress:
        for file in progress.track(files, description="Segmenting"):
            try:
                pixels = decode_image(file.read_bytes())
            except BadImageError as error:
                unread += 1
                err.print(f"[red]{file.name}[/red]: {error}", highlight=False)
                continue
            cv2.imwrite(str(output / f"{file.stem}.png"), segmenter.segment_image(pixels))
    err.print(f"{len(files) - unread} saliency maps in {output}" + (f", {unread} unread" if unread else ""))
    if unread:
        raise typer.Exit(1)
