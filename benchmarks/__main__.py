"""`scripts/bench`: measure, print a table, print JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.coil_memory import peak_mb
from benchmarks.machine import this_machine
from benchmarks.metrics import measure as measure_metrics
from benchmarks.metrics import rows as metrics_rows
from benchmarks.throughput import measure

SHORT_COIL_FRAMES = 100
LONG_COIL_FRAMES = 1_000


def main(
    length_m: Annotated[float, typer.Option(min=2, help="Length of the coil that is timed.")] = 48.0,
    memory: Annotated[
        bool, typer.Option(help="Measure peak memory of coils of 100 and 1,000 frames too.")
    ] = True,
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder of images and masks to time the metrics on; else they are drawn."),
    ] = None,
) -> None:
    """Measure throughput of both paths, the share of each stage, memory, and the metrics' speed."""
    console = Console(stderr=True)
    machine = this_machine()
    with console.status("Timing the metrics ..."):
        metrics = measure_metrics(samples)
    with console.status("Timing both paths ..."):
        speed = measure(length_m)
    peaks: dict[str, float] = {}
    if memory:
        for frames in (SHORT_COIL_FRAMES, LONG_COIL_FRAMES):
            with console.status(f"Memory of a coil of {frames} frames ..."):
                peaks[str(frames)] = peak_mb(frames)
    table = Table(
        "figure", "value", title=f"{machine.processor}, {machine.cores} cores, {' '.join(machine.flags)}"
    )
    for name, value in speed.model_dump().items():
        if isinstance(value, dict):
            for stage, share in value.items():
                table.add_row(f"share of {stage}", f"{share:.1%}")
        else:
            table.add_row(name.replace("_", " "), f"{value:.2f}" if isinstance(value, float) else str(value))
    for frames, peak in peaks.items():
        table.add_row(f"peak memory of {frames} frames", f"{peak:.0f} MB")
    for name, value in metrics_rows(metrics):
        table.add_row(name, value)
    console.print(table)
    result = {
        "machine": machine.model_dump(),
        "throughput": speed.model_dump(),
        "peak_mb_by_frames": peaks,
        "metrics": metrics.model_dump(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    typer.run(main)
