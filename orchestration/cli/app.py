"""The `coilwatch` command: its global options, its commands, and how errors end it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from kafka.errors import KafkaError
from redis import RedisError
from rich.markup import escape

from ingest.errors import IngestError
from models.errors import ModelsError
from orchestration.cli import (
    class_training,
    dead_letters,
    demo,
    evaluation,
    ingestion,
    inspection,
    models,
    reinspection,
    reports,
    segmentation,
    simulation,
    stack,
    training,
)
from orchestration.cli.console import err, harmless
from orchestration.cli.log_lines import configure_logging
from orchestration.cli.sigterm import tidying_up_on_sigterm
from orchestration.cli.state import State
from orchestration.errors import OrchestrationError
from orchestration.termination import EXIT_CODE
from workers.errors import WorkerError

FAILED = 1

EXIT_CODES = {
    0: "done",
    FAILED: "not done, or not all of it; one line on standard error says why",
    2: "wrong usage of the command line",
    130: "interrupted",
    EXIT_CODE: "ended by SIGTERM; what was begun has been tidied up",
}

EXPECTED = (
    IngestError,
    ModelsError,
    WorkerError,
    OrchestrationError,
    KafkaError,
    RedisError,
    OSError,
)
"""Errors that one line explains; anything else is a defect of ours and shows its traceback."""

app = typer.Typer(
    name="coilwatch",
    help="Inspects steel strip while it runs: frames through Kafka and Ray Serve to a coil report.",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"coilwatch {version('coilwatch')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML file of settings.", show_default="./coilwatch.toml if there"),
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in --set kafka.frames_partitions=4.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all log lines.")] = False,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and end."),
    ] = False,
) -> None:
    """Options before the command hold for every command."""
    context.obj = State(settings, assign or [])
    configure_logging(debug=debug)


app.command()(demo.demo)
app.command()(inspection.inspect)
app.command()(ingestion.ingest)
app.command()(reports.report)
app.command()(reports.coils)
app.command("reinspect")(reinspection.reinspect_command)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(segmentation.segment)
app.command()(evaluation.evaluate)
app.command()(training.train)
app.command("train-classes")(class_training.train_classes_command)
app.command()(models.models)
app.command()(simulation.simulate)
app.command("score")(simulation.score_command)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.settings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an expected error is one line and exit code 1.

    Args:
        arguments: those of the process unless told.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, TextIOWrapper):
        # As standard error does: what another encoding cannot show is no reason to end a command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with tidying_up_on_sigterm():
            app(arguments, prog_name="coilwatch")
    except EXPECTED as error:
        if "--debug" in arguments:
            raise
        err.print(f"[bold red]error:[/bold red] {_one_line(error)}", soft_wrap=True)
        sys.exit(FAILED)


def _one_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return escape(harmless(" ".join(text.split())))
