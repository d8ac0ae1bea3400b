"""`coilwatch up`, `down`, `status`, `settings`: the local stack and its settings."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from orchestration.cli.console import activity, out, say
from orchestration.cli.report_view import say_other_store
from orchestration.cli.state import state
from orchestration.line import start_line, stop_line
from orchestration.stack import Stack
from orchestration.stack.stack import TITLES

HEALTH_STYLE = {"up": "green", "starting": "yellow", "down": "red"}


def up(context: typer.Context) -> None:
    """Start what is not running: Kafka, Valkey, Ray with the application; create the topics.

    Example: coilwatch up && coilwatch status
    """
    wanted = state(context).settings
    with activity("Looking for Kafka, Valkey and Ray ...") as tell:
        running = start_line(Stack(wanted), progress=tell)
    say_other_store(wanted, running)
    status(context)


def down(context: typer.Context) -> None:
    """Stop what 'coilwatch up' started, and nothing else.

    Example: coilwatch down
    """
    stack = Stack(state(context).settings)
    running = ", ".join(TITLES[name] for name in stack.started())
    with activity("Stopping ..."):
        stop_line(stack)
    say(f"Stopped {running}." if running else f"Nothing ran that {stack.settings.run_directory} had started.")


def status(context: typer.Context) -> None:
    """Show each part of the stack: address, health, lag. Exit code 1 when a part is down.

    Example: coilwatch status
    """
    table = Table("part", "address", "health", "lag")
    parts = Stack(state(context).settings).status()
    for part in parts:
        style = HEALTH_STYLE.get(part.health, "white")
        address, lag = map(escape, (part.address, part.lag))
        table.add_row(part.part, address, f"[{style}]{part.health}[/{style}]", lag)
    out.print(table)
    if any(part.health == "down" for part in parts):
        raise typer.Exit(1)


def settings(context: typer.Context) -> None:
    """Print every effective setting and where it came from; secrets are masked.

    Example: COILWATCH_KAFKA__FRAMES_PARTITIONS=4 coilwatch settings
    """
    table = Table("setting", "value", "from")
    for origin in state(context).loaded.origins():
        table.add_row(origin.key, escape(origin.value), escape(origin.source))
    out.print(table)
