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
    assert PAGE.read_text(encoding="utf-8") == reference(), "run scripts/cli-docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_an_example(coilwatch: Coilwatch, name: str) -> None:
    ran = coilwatch(name, "--help")
    assert ran.code == 0
    assert "Example: " in ran.out
    assert f"coilwatch {name}" in ran.out


def test_no_bracket_of_a_help_text_is_swallowed_as_markup(coilwatch: Coilwatch) -> None:
    ran = coilwatch("ingest", "--help")
    assert "one more than Kafka and reports have" in " ".join(ran.out.replace("│", " ").split())
