"""The `coilwatch` command: its global options, its commands, and how errors end it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from kafka.errors import KafkaError
from redis import RedisError

from ingest.errors import IngestError
from models.errors import ModelsError
from orchestration.cli import demo, ingestion, inspection, reports, simulation, stack
from orchestration.cli.console import err
from orchestration.cli.state import State, configure_logging
from orchestration.errors import OrchestrationError
from workers.errors import WorkerError

FAILED = 1
INTERRUPTED = 130

EXPECTED = (IngestError, ModelsError, WorkerError, OrchestrationError, KafkaError, RedisError, OSError)
"""Errors that one line explains; anything else is a defect of ours and shows its traceback."""

app = typer.Typer(
    name="coilwatch",
    help="Inspects steel strip while it runs: frames through Kafka and Ray Serve to a coil report.",
    epilog="Exit codes: 0 done, 1 not done (one line says why), 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML file of settings [default: ./coilwatch.toml if there]"),
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, e.g. --set kafka.frames_partitions=4")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all log lines.")] = False,
) -> None:
    """Options before the command hold for every command."""
    context.obj = State(settings, assign or [], debug)
    configure_logging("DEBUG" if debug else "WARNING")


app.command()(demo.demo)
app.command()(inspection.inspect)
app.command()(ingestion.ingest)
app.command()(reports.report)
app.command()(reports.coils)
app.command()(inspection.segment)
app.command()(simulation.simulate)
app.command("score")(simulation.score_command)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.settings)


def main() -> None:
    """Run the command line; an expected error is one line and exit code 1."""
    try:
        app()
    except EXPECTED as error:
        if "--debug" in sys.argv:
            raise
        err.print(f"[bold red]error:[/bold red] {_escaped(error)}", soft_wrap=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(INTERRUPTED)


def _escaped(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return " ".join(text.split("\n")).replace("[", "\\[")
