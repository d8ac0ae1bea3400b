"""`coilwatch up`, `down`, `status`, `settings`: the local stack and its settings."""

from __future__ import annotations

import typer
from rich.table import Table

from orchestration.cli.console import err, out
from orchestration.cli.state import state
from orchestration.line import start_line, stop_line
from orchestration.stack import Stack

HEALTH_STYLE = {"up": "green", "starting": "yellow", "down": "red"}


def up(context: typer.Context) -> None:
    """Start what is not running: Kafka, Valkey, Ray with the application; create the topics.

    Example: coilwatch up && coilwatch status
    """
    with err.status("Starting Kafka, Valkey and Ray Serve ...") as shown:
        start_line(Stack(state(context).settings), progress=shown.update)
    status(context)


def down(context: typer.Context) -> None:
    """Stop what 'coilwatch up' started, and nothing else.

    Example: coilwatch down
    """
    with err.status("Stopping ..."):
        stop_line(Stack(state(context).settings))
    err.print("Stopped what this run directory had started.")


def status(context: typer.Context) -> None:
    """Show each part of the stack: address, health, lag. Exit code 1 when a part is down.

    Example: coilwatch status
    """
    table = Table("part", "address", "health", "lag")
    parts = Stack(state(context).settings).status()
    for part in parts:
        style = HEALTH_STYLE.get(part.health, "white")
        table.add_row(part.part, part.address, f"[{style}]{part.health}[/{style}]", part.lag)
    out.print(table)
    if any(part.health == "down" for part in parts):
        raise typer.Exit(1)


def settings(context: typer.Context) -> None:
    """Print every effective setting and where it came from; secrets are masked.

    Example: COILWATCH_KAFKA__FRAMES_PARTITIONS=4 coilwatch settings
    """
    table = Table("setting", "value", "from")
    for origin in state(context).loaded.origins():
        table.add_row(origin.key, origin.value, origin.source)
    out.print(table)
