"""`scripts/bench`: measure, print a table, print JSON. `scripts/bench soak`: a line under faults."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.coil_memory import peak_mb
from benchmarks.machine import this_machine
from benchmarks.metrics import measure as measure_metrics
from benchmarks.metrics import rows as metrics_rows
from benchmarks.soak import SPEED_MPS, SoakResult, soak
from benchmarks.throughput import measure

SHORT_COIL_FRAMES = 100
LONG_COIL_FRAMES = 1_000

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
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
    if context.invoked_subcommand is not None:
        return
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
    for length, peak in peaks.items():
        table.add_row(f"peak memory of {length} frames", f"{peak:.0f} MB")
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


@app.command("soak")
def run_soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long coils are sent.")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, help="Of coils and faults.")] = 0,
    speed_mps: Annotated[float, typer.Option(min=0.01, help="Speed of the strip.")] = SPEED_MPS,
) -> None:
    """Send coils through a line under a random fault every 30 s; exits 1 when a promise was not kept."""
    console = Console(stderr=True)
    # Ray tells of killed workers on standard output, where the figures go.
    with redirect_stdout(sys.stderr), console.status(f"{minutes:g} minutes of coils and faults ..."):
        result = soak(minutes * 60, seed=seed, speed_mps=speed_mps)
    console.print(_soak_table(result))
    for problem in result.broken:
        console.print(f"[red]{problem}[/red]")
    machine = this_machine().model_dump()
    print(json.dumps({"machine": machine, "soak": result.model_dump()}, indent=2))
    raise typer.Exit(1 if result.broken else 0)


def _soak_table(result: SoakResult) -> Table:
    table = Table("fault", "times", "mean s", "longest s", title="Recovery, the fault's own length included")
    for name, figures in result.faults.items():
        table.add_row(name, str(figures.times), f"{figures.mean_s:.1f}", f"{figures.longest_s:.1f}")
    return table


if __name__ == "__main__":
    app()
