"""`coilwatch demo`: the sample coil from camera frames to coil report."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from ingest.publisher import Publisher
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from orchestration.cli.console import err
from orchestration.cli.inspection import inspect_in_process
from orchestration.cli.report_view import print_report
from orchestration.cli.state import state
from orchestration.line import start_line, stop_line, wait_for_report
from orchestration.settings import Settings
from orchestration.stack import Stack
from orchestration.streaming import Streamed, stream
from workers.coil.records import CoilReport
from workers.report.store import ReportStore
from workers.streams.live_view import LiveCoil
from workers.streams.runs import latest_run

REPORT_TIMEOUT_S = 300.0
"""How long after the last frame the report is waited for; a slow machine needs about a minute."""


def demo(
    context: typer.Context,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="One process, no server: no Java needed, the same report.")
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the reports.")] = Path(
        "coil-reports"
    ),
    length_m: Annotated[
        float, typer.Option("--length-m", min=0.5, max=1000, help="Length of the coil.")
    ] = 24.0,
    speed_mps: Annotated[float, typer.Option("--speed-mps", min=0.01, help="Speed of the strip.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another coil.")] = 7,
    open_report: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the report in the browser.")
    ] = True,
) -> None:
    """Run the sample coil through Kafka, Ray Serve and Redis, and show its report.

    Starts what is not running and stops what it started.

    Example: coilwatch demo --speed-mps 2
    """
    coil = SimulatedCoil(length_m=length_m, seed=seed)
    settings = state(context).settings.with_reports(output)
    if in_process:
        report, location = inspect_in_process(SimulatedSource(coil), settings, settings.reports.store)
        folder = location.folder
    else:
        report, folder = _distributed(coil, settings, speed_mps)
    print_report(report, f"{folder}/report.html")
    if open_report:
        webbrowser.open(Path(folder, "report.html").absolute().as_uri())


def _distributed(coil: SimulatedCoil, settings: Settings, speed_mps: float) -> tuple[CoilReport, str]:
    stack = Stack(settings)
    try:
        with err.status("Starting Kafka, Valkey and Ray Serve ...") as shown:
            connected = start_line(stack, progress=shown.update)
        return _stream_and_wait(coil, connected, speed_mps)
    finally:
        with err.status("Stopping what was started ..."):
            stop_line(stack, started_only=True)


def _stream_and_wait(coil: SimulatedCoil, settings: Settings, speed_mps: float) -> tuple[CoilReport, str]:
    connection = settings.kafka.connection()
    run = latest_run(connection, coil.line, coil.coil) + 1
    source = SimulatedSource(coil, run=run)
    with Live(console=err, refresh_per_second=5) as live:
        screen = Progress(source.total_frames or 0, live)
        with Publisher(connection) as publisher:
            sending = threading.Thread(
                target=stream,
                args=(source, publisher),
                kwargs={"speed_mps": speed_mps, "progress": screen.sent},
                daemon=True,
            )
            sending.start()
            wait_for_report(
                settings,
                (coil.line, coil.coil, run),
                timeout_s=REPORT_TIMEOUT_S + coil.along_mm(coil.frames_per_camera) / 1000 / speed_mps,
                progress=screen.inspected,
            )
            sending.join()
    store = ReportStore(settings.reports.store)
    return store.read(coil.line, coil.coil, run), store.folder(coil.line, coil.coil, run)


class Progress:
    """The live view of the demo: frames sent, inspected, lag, events so far."""

    def __init__(self, total: int, live: Live) -> None:
        self._total = total
        self._live = live
        self._sent = 0
        self._coil: LiveCoil | None = None

    def sent(self, streamed: Streamed) -> None:
        """Take note of what was published."""
        self._sent = streamed.frames
        self._show()

    def inspected(self, coil: LiveCoil | None) -> None:
        """Take note of what was inspected."""
        self._coil = coil or self._coil
        self._show()

    def _show(self) -> None:
        done = self._coil.inspected + self._coil.unreadable if self._coil else 0
        table = Table.grid(padding=(0, 3))
        table.add_row(
            f"sent {self._sent}/{self._total}",
            f"inspected {done}/{self._total}",
            f"lag {max(0, self._sent - done)} frames",
            f"{self._coil.length_mm / 1000 if self._coil else 0:.1f} m",
            f"{self._coil.events if self._coil else 0} events",
        )
        self._live.update(table)
