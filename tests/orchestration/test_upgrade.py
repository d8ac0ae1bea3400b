"""Another model while a coil runs, and again after it: Kafka, Valkey, Ray Serve, real weights."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.publisher import Publisher
from ingest.records import CoilKey, EncodedFrame
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from models.weights import locate, save_weights
from models.weights.files import read_weights
from orchestration.errors import StartError
from orchestration.inspector import open_inspector
from orchestration.line import start_line, stop_line, wait_for_report
from orchestration.settings import Settings
from orchestration.stack import Stack
from orchestration.streaming import stream
from tests.orchestration.mid_coil import (
    COIL,
    KEY,
    REPORT_TIMEOUT_S,
    calm_report,
    coil_under_way,
    committed_inspections,
)
from tests.replicas import replicas
from workers.coil.records import CoilReport
from workers.inspection.inspector import Inspector
from workers.inspection.records import Inspection
from workers.report.json_report import report_json
from workers.report.store import ReportStore

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

TERMINATED_S = 10.0


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other weights of the same network: the shipped ones, a little off."""
    weights, info = read_weights(locate("coilnet-m"))
    changed = {
        name: tensor * 1.01 if tensor.is_floating_point() else tensor for name, tensor in weights.items()
    }
    path = tmp_path_factory.mktemp("weights") / "retrained.safetensors"
    save_weights(path, changed, info.model_copy(update={"version": "2"}))
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("line")
    return Settings.model_validate({"run_directory": folder / "run"}).with_reports(folder / "reports")


def with_model(settings: Settings, name: str | Path) -> Settings:
    model = settings.model.model_copy(update={"name": str(name)})
    return settings.model_copy(update={"model": model})


@pytest.fixture(scope="module")
def upgraded(settings: Settings, retrained: Path) -> Iterator[Settings]:
    """The line after a coil that ran through a SIGTERM of a worker of each kind and then an upgrade."""
    stack = Stack(settings)
    try:
        with coil_under_way(start_line(stack)):
            for deployment in ("FrameWorker", "Inspector", "CoilWorker"):
                _terminate_one(settings, deployment)
            upgraded = start_line(Stack(with_model(settings, retrained)))
        yield upgraded
    finally:
        stop_line(stack)


def test_all_frames_are_inspected_once_and_the_report_lists_both_models(
    upgraded: Settings, settings: Settings, retrained: Path
) -> None:
    report = ReportStore(upgraded.reports.store).read(*KEY)
    frames = SimulatedSource(COIL).total_frames
    assert sum(camera.inspected for camera in report.cameras) == frames
    assert (report.closed, report.coverage_share, report.conflicts, report.revision) == (
        "complete",
        1.0,
        0,
        1,
    )
    inspectors = {
        inspector.identity: inspector
        for inspector in (open_inspector(settings), open_inspector(with_model(settings, retrained)))
    }
    assert set(report.models) == set(inspectors)

    inspections = committed_inspections(upgraded)
    names = Counter((record.side, record.camera, record.sequence) for record in inspections)
    assert (len(names), set(names.values())) == (frames, {1})
    assert _as_their_models_say(inspections, {model.digest: i for model, i in inspectors.items()})


def test_reinspection_gives_the_report_of_one_model_from_the_start(
    upgraded: Settings, settings: Settings, retrained: Path
) -> None:
    ran = _coilwatch(settings, "reinspect", COIL.coil, "--model", retrained)
    assert ran.returncode == 0, ran.stderr
    assert "Inspected" in ran.stderr
    report = ReportStore(upgraded.reports.store).read(*KEY)
    assert (report.revision, [model.name for model in report.models]) == (2, ["retrained"])
    assert apart_from_revisions(report) == report_json(calm_report(with_model(settings, retrained)))

    again = _coilwatch(settings, "reinspect", COIL.coil, "--model", retrained)
    assert (again.returncode, ReportStore(upgraded.reports.store).read(*KEY)) == (0, report)
    assert "nothing to do" in again.stderr


def test_where_the_new_inspectors_cannot_start_the_old_ones_go_on(
    upgraded: Settings, settings: Settings, retrained: Path
) -> None:
    with pytest.raises(StartError, match=r"Inspector: .*no weights /nowhere/at-all[.]safetensors"):
        start_line(Stack(with_model(settings, "/nowhere/at-all.safetensors")))
    coil = SimulatedCoil(length_m=1.2, seed=3, coil="after-a-failure")
    key: CoilKey = (coil.line, coil.coil, 1)
    with Publisher(upgraded.kafka.connection()) as publisher:
        stream(SimulatedSource(coil), publisher)
    wait_for_report(upgraded, key, timeout_s=REPORT_TIMEOUT_S)
    report = ReportStore(upgraded.reports.store).read(*key)
    assert (report.coverage_share, [model.name for model in report.models]) == (1.0, ["retrained"])

    start_line(Stack(with_model(settings, retrained)))
    assert [row.health for row in Stack(settings).status()] == ["up"] * 4


def apart_from_revisions(report: CoilReport) -> bytes:
    return report_json(report.model_copy(update={"revision": 1, "revisions": (), "tombstones": ()}))


def _terminate_one(settings: Settings, deployment: str) -> None:
    worker = replicas(settings.run_directory, deployment)[0]
    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs([worker], timeout=TERMINATED_S)
    assert not alive


def _as_their_models_say(inspections: list[Inspection], inspectors: dict[str, Inspector]) -> bool:
    frames: dict[tuple[str, int], EncodedFrame] = {
        (frame.header.camera, frame.header.sequence): frame for frame in SimulatedSource(COIL).frames()
    }
    return all(
        inspectors[record.model.digest].inspect([frames[record.camera, record.sequence]]) == [record]
        for record in inspections
        if record.model is not None
    )


def _coilwatch(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    entry = "from orchestration.cli import main; main()"
    chosen = ["--set", f"run_directory={settings.run_directory}"]
    command = [sys.executable, "-c", entry, *chosen, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)
