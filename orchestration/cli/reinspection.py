"""`coilwatch reinspect`: a coil that is reported, inspected again with another model."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ingest.records import CoilKey
from orchestration.cli.console import activity, frames_progress, say
from orchestration.cli.report_view import print_report
from orchestration.cli.reports import CoilArgument, LatestRunOption, LineIdOption
from orchestration.cli.state import state
from orchestration.errors import UnreachableError
from orchestration.inspector import open_inspector
from orchestration.line import wait_for_report
from orchestration.reinspection import Reinspection, gaps, reinspect
from orchestration.settings import ModelSettings, Settings
from orchestration.stack import Stack
from workers.inspection.inspector import Inspector
from workers.report.store import ReportStore
from workers.streams.redis_client import redis_client
from workers.streams.result_cache import ResultCache

REVISION_TIMEOUT_S = 180.0
"""A coil worker reads the log of a coil of thousands of frames twice to revise its report."""


def reinspect_command(
    context: typer.Context,
    coil: CoilArgument,
    model: Annotated[str, typer.Option("--model", help="Name of shipped weights, or a weights file.")],
    line: LineIdOption = None,
    run: LatestRunOption = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Go on where Kafka does not retain all frames any more.")
    ] = False,
) -> None:
    """Inspect a reported coil again with another model, and revise its report.

    Takes the frames from Kafka while they are retained, inspects them in this process, and hands the
    inspections to the running line: all of them or, if it is ended before, none. The report gets another
    revision that says why.

    Example: coilwatch reinspect C1234 --model csnet-x1
    """
    stack = Stack(state(context).settings)
    stack.check("kafka")
    settings = _with_model(stack.connected(["kafka"]), model)
    store = ReportStore(stack.report_store())
    report = store.read(line or store.line_of(coil), coil, run)
    key = (report.line, report.coil, report.run)
    with activity("Loading the network ..."):
        inspector = open_inspector(settings, threads=os.cpu_count() or 1)
    if report.models == (inspector.identity,):
        say(f"Coil {coil} run {report.run} was inspected with this very model: nothing to do.")
        return
    done = _with_progress(settings, key, inspector, _cache(stack), partial=partial)
    say(_summary(done))
    with activity("Waiting for the coil worker ..."):
        reporting = settings.with_reports(stack.report_store())
        wait_for_report(reporting, key, timeout_s=REVISION_TIMEOUT_S, revision=done.revision)
    print_report(store.read(*key), f"{store.folder(*key)}/report.html")


def _with_model(settings: Settings, model: str) -> Settings:
    chosen = ModelSettings.model_validate(settings.model.model_dump() | {"name": model})
    return settings.model_copy(update={"model": chosen})


def _cache(stack: Stack) -> ResultCache | None:
    """The result cache, None where no Redis runs: it saves time and nothing else."""
    try:
        settings = stack.connected(["redis"]).redis
    except UnreachableError:
        return None
    return ResultCache(redis_client(settings.url, settings.client_options()))


def _with_progress(
    settings: Settings, key: CoilKey, inspector: Inspector, cache: ResultCache | None, *, partial: bool
) -> Reinspection:
    with frames_progress() as bars:
        task = bars.add_task("Inspecting", total=None, note="")

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return reinspect(
            settings.kafka.connection(), key, inspector, cache=cache, partial=partial, progress=show
        )


def _summary(done: Reinspection) -> str:
    text = f"Inspected {done.frames} frames again with {done.model.name} {done.model.version}"
    text += f", {done.cache_hits} of them from the result cache." if done.cache_hits else "."
    if done.gone:
        text += f" Not retained any more, and left as they were: {gaps(done.gone)}."
    return text
