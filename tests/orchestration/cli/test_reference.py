from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from orchestration.cli.app import app
from orchestration.cli.reference import reference
from tests.orchestration.cli.conftest import Coilwatch

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run scripts/reference-docs"


@pytest.mark.parametrize(
    ("command", "option", "values"),
    [
        ("simulate", "`--family`", "`scaled`, `brushed`, `pickled`"),
        ("ingest", "`--encoding`", "`raw`, `png`, `jpeg`, `zstd`"),
        ("simulate", "`--length-m`", "0.5 to 10000"),
        ("inspect", "`--run`", "from 1"),
        ("inspect", "`--pattern`", ""),
    ],
)
def test_a_row_says_which_values_its_option_takes(command: str, option: str, values: str) -> None:
    section = reference().partition(f"## coilwatch {command}\n")[2].partition("\n## ")[0]
    (row,) = (line for line in section.splitlines() if line.startswith(f"| {option} "))
    assert row.split(" | ")[-2] == values


def test_an_argument_has_the_name_that_its_help_shows(coilwatch: Coilwatch) -> None:
    assert "ID" in coilwatch("dead-letters", "show", "--help").out
    assert "| `ID` | Id of the letter. |" in reference()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_an_example(coilwatch: Coilwatch, name: str) -> None:
    ran = coilwatch(name, "--help")
    assert ran.code == 0
    assert "Example: " in ran.out
    assert f"coilwatch {name}" in ran.out


def test_no_bracket_of_a_help_text_is_swallowed_as_markup(coilwatch: Coilwatch) -> None:
    ran = coilwatch("ingest", "--help")
    assert "one more than Kafka and reports have" in " ".join(ran.out.replace("│", " ").split())
