from __future__ import annotations

from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner


@pytest.mark.parametrize(
    "name", ["coil_memory", "coil_rebuild", "line_frames", "mask_offset", "metrics", "networks", "spooling"]
)
def test_a_benchmark_says_what_it_takes(name: str) -> None:
    app = typer.Typer()
    app.command()(import_module(f"benchmarks.{name}").main)
    ran = CliRunner().invoke(app, ["--help"])
    assert ran.exit_code == 0
    assert "Usage: " in ran.output
