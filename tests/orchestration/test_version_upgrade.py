"""Another version of Coilwatch is installed over the one that runs, in the middle of a coil."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.sources.simulated import SimulatedSource
from orchestration.line import stop_line
from orchestration.settings import Settings
from orchestration.stack import Stack
from tests.orchestration.mid_coil import COIL, KEY, calm_report, coil_under_way, committed_inspections
from tests.replicas import replicas
from workers.report.json_report import report_json
from workers.report.store import ReportStore

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest", "workers", "models", "orchestration")
ENDED_S = 30.0
"""Serve says that a replica has stopped a moment before its process is gone."""
MAIN = "from orchestration.cli import main; main()"


class Installation:
    """Our packages, laid down as an installer would, ahead of those that the tests import.

    Args:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        self._application = folder / "orchestration" / "application.py"
        self._code = self._application.read_text("utf-8")

    def install(self, version: str) -> None:
        """Put a version over whatever is there; each process that runs its workers leaves a file."""
        metadata = self._folder / "coilwatch-0.dist-info" / "METADATA"
        metadata.parent.mkdir(exist_ok=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: coilwatch\nVersion: {version}\n")
        mark = f"pathlib.Path({str(self._folder)!r}, f'{version}-{{os.getpid()}}').touch()"
        self._application.write_text(f"{self._code}\nimport os, pathlib\n{mark}\n")

    def ran(self, version: str, process: psutil.Process) -> bool:
        """Whether a process has run that version's workers."""
        return (self._folder / f"{version}-{process.pid}").exists()

    def up(self, settings: Settings) -> None:
        """`coilwatch up` of this installation."""
        chosen = {"run_directory": settings.run_directory, "reports.store": settings.reports.store}
        options = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
        ran = subprocess.run(
            [sys.executable, "-c", MAIN, *options, "up"],
            check=False,
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": str(self._folder)},
        )
        assert ran.returncode == 0, ran.stderr


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings.model_validate({"run_directory": tmp_path / "run"}).with_reports(tmp_path / "reports")
    yield settings
    stop_line(Stack(settings))


def test_a_coil_that_runs_while_a_version_is_rolled_out_reports_as_ever(
    settings: Settings, tmp_path: Path
) -> None:
    installation = Installation(tmp_path / "installation")
    installation.install("1")
    installation.up(settings)
    first = replicas(settings.run_directory)
    assert first
    assert all(installation.ran("1", process) for process in first)
    running = Stack(settings).connected(("kafka", "redis", "ray"))
    with coil_under_way(running):
        installation.install("2")
        installation.up(settings)
        psutil.wait_procs(first, timeout=ENDED_S)
        second = replicas(settings.run_directory)
        assert len(second) == len(first)
        assert not set(second) & set(first)
        assert all(installation.ran("2", process) for process in second)
    report = ReportStore(settings.reports.store).read(*KEY)
    assert report_json(report) == report_json(calm_report(settings))
    names = Counter(
        (record.side, record.camera, record.sequence) for record in committed_inspections(running)
    )
    assert (len(names), set(names.values())) == (SimulatedSource(COIL).total_frames, {1})
