"""Peak memory of inspecting a coil, each length in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from orchestration.inspector import open_inspector
from orchestration.settings import Settings
from workers.coil.grading import GradingRules
from workers.in_process import inspect_coil

FRAME_M = 0.24
CAMERAS = 2


def peak_mb(frames: int) -> float:
    """Peak resident memory in MB of a fresh process that inspects a coil of so many frames."""
    command = [sys.executable, "-m", "benchmarks.coil_memory", str(frames)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(result.stdout.splitlines()[-1]))


def _inspect(frames: int) -> float:
    settings = Settings()
    coil = SimulatedCoil(length_m=frames / CAMERAS * FRAME_M, seed=9)
    inspect_coil(
        SimulatedSource(coil),
        open_inspector(settings, threads=2),
        rules=GradingRules.load(settings.grading.file),
        joining=settings.joining,
    )
    return _high_water_mb()


def _high_water_mb() -> float:
    """Highest resident memory of this program; `ru_maxrss` would count that of the process that forked it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def main(
    frames: Annotated[int, typer.Argument(min=1, help="Length of the coil in frames of both cameras.")],
) -> None:
    """Inspect a simulated coil in this process and print its peak memory in MB."""
    print(json.dumps(_inspect(frames)))


if __name__ == "__main__":
    typer.run(main)
