"""The page of the command line, made from its help texts (`docs/cli.md`)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer.main

from orchestration.cli.app import EXIT_CODES, app

HEAD = """# The command line

`coilwatch [OPTIONS] COMMAND [OPTIONS]`; `coilwatch COMMAND --help` says the same. Results go to standard
output, everything else to standard error. What `--set` takes stands in [settings.md](settings.md).
This page is made from the help texts by `scripts/reference-docs`.
"""


def reference() -> str:
    """The page as Markdown: exit codes, the options before the command, every command with its example."""
    group: Any = typer.main.get_command(app)
    parts = [
        HEAD,
        "## Exit codes\n",
        *_exit_codes(),
        "\n## Options before the command\n",
        *_parameters(group),
    ]
    for name, command in _commands(group):
        parts += [f"\n## coilwatch {name}\n", *_text(command.help), *_parameters(command)]
    return "\n".join(parts) + "\n"


def _commands(group: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer types what it makes as little
    """Every command with its full name; a group before its own."""
    for name, command in group.commands.items():
        yield name, command
        for inner, inner_command in _commands(command) if hasattr(command, "commands") else ():
            yield f"{name} {inner}", inner_command


def _exit_codes() -> Iterator[str]:
    yield from ("| code | meaning |", "|---|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())


def _text(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        line = " ".join(paragraph.split())
        if line.startswith("Example: "):
            yield f"```\n{line.removeprefix('Example: ')}\n```\n"
        else:
            yield f"{line}\n"


def _parameters(command: Any) -> Iterator[str]:  # noqa: ANN401 - typer types what it makes as little
    rows = [_row(parameter) for parameter in command.params if getattr(parameter, "help", None)]
    rows = [row for row in rows if "completion" not in row]
    if rows:
        yield from ("| argument or option | meaning | values | default |", "|---|---|---|---|")
        yield from rows


def _row(parameter: Any) -> str:  # noqa: ANN401
    names = (
        [*parameter.opts, *parameter.secondary_opts]
        if parameter.opts[0].startswith("-")
        else [parameter.metavar or parameter.name.upper()]
    )
    cells = (
        ", ".join(f"`{name}`" for name in names),
        parameter.help,
        _values(parameter),
        _default(parameter),
    )
    return "| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;") for cell in cells) + " |"


def _values(parameter: Any) -> str:  # noqa: ANN401
    """The choices that a parameter has, or the bounds of a number; nothing where it takes any value."""
    if choices := parameter.type_descriptor.choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    least, most = parameter.min, parameter.max
    if least is None:
        return "" if most is None else f"up to {most}"
    return f"from {least}" if most is None else f"{least} to {most}"


def _default(parameter: Any) -> str:  # noqa: ANN401
    if parameter.required:
        return "required"
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    return "" if parameter.default in {None, False} else f"{parameter.default}"
