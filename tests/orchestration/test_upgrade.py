"""Another model while a coil runs, and again after it: Kafka, Valkey, Ray Serve, real weights."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, TopicPartition

from ingest.kafka import INSPECTIONS_TOPIC
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from models.weights import locate, save_weights
from models.weights.files import read_weights
from orchestration.errors import StartError
from orchestration.inspector import open_inspector
from orchestration.line import CoilNotReportedError, start_line, stop_line, wait_for_report
from orchestration.settings import Settings
from orchestration.stack import Stack, ray_local
from orchestration.streaming import stream
from tests.held_back import second_half_late
from tests.orchestration.line_logs import line_logs
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport
from workers.in_process import inspect_coil
from workers.inspection.inspector import Inspector
from workers.inspection.records import Inspection
from workers.report.json_report import report_json
from workers.report.store import ReportStore
from workers.streams.live_view import LiveView
from workers.streams.messages import CoilKey, read_inspection_record
from workers.streams.redis_client import redis_client

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

COIL = SimulatedCoil(length_m=16.0, seed=11, coil="upgraded")
KEY: CoilKey = (COIL.line, COIL.coil, 1)
FIRST_FRAMES = 8
FIRST_FRAMES_TIMEOUT_S = 120
REPORT_TIMEOUT_S = 200
SPEED_MPS = 0.4
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
        running = start_line(stack)
        rolled_out = threading.Event()
        sending = threading.Thread(target=_send, args=(running, rolled_out))
        sending.start()
        _wait_for_frames(running)
        for deployment in ("FrameWorker", "Inspector", "CoilWorker"):
            _terminate_one(settings, deployment)
        upgraded = start_line(Stack(with_model(settings, retrained)))
        rolled_out.set()
        sending.join()
        try:
            wait_for_report(upgraded, KEY, timeout_s=REPORT_TIMEOUT_S)
        except CoilNotReportedError as error:
            pytest.fail(f"{error}\n{line_logs(settings.run_directory)}")
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

    inspections = _inspections(upgraded)
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


def calm_report(settings: Settings) -> CoilReport:
    inspector = open_inspector(settings, threads=2)
    rules = GradingRules.load(settings.grading.file)
    return inspect_coil(SimulatedSource(COIL), inspector, rules=rules, joining=settings.joining).report


def apart_from_revisions(report: CoilReport) -> bytes:
    return report_json(report.model_copy(update={"revision": 1, "revisions": (), "tombstones": ()}))


def _send(settings: Settings, rolled_out: threading.Event) -> None:
    with Publisher(settings.kafka.connection()) as publisher:
        stream(HalfHeldBack(rolled_out), publisher, speed_mps=SPEED_MPS)


class HalfHeldBack(SimulatedSource):
    """The coil, of which the second half comes behind an event: however long an upgrade takes."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__(COIL)
        self._event = event

    def frames(self) -> Iterator[EncodedFrame]:
        return second_half_late(super().frames(), COIL.frames_per_camera, self._event)


def _wait_for_frames(settings: Settings) -> None:
    live_view = LiveView(redis_client(settings.redis.url))
    deadline = time.monotonic() + FIRST_FRAMES_TIMEOUT_S
    while (seen := live_view.read(KEY)) is None or seen.inspected < FIRST_FRAMES:
        if time.monotonic() > deadline:
            pytest.fail(f"no {FIRST_FRAMES} frames inspected\n{line_logs(settings.run_directory)}")
        threading.Event().wait(0.05)


def _terminate_one(settings: Settings, deployment: str) -> None:
    title = f"ray::ServeReplica:coilwatch:{deployment}"
    members = (member.find() for member in ray_local.processes(settings.run_directory / "ray"))
    worker = next(process for process in members if process and _title(process).startswith(title))
    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs([worker], timeout=TERMINATED_S)
    assert not alive


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _inspections(settings: Settings) -> list[Inspection]:
    consumer = KafkaConsumer(**settings.kafka.connection().client_options(), isolation_level="read_committed")
    try:
        partitions = [
            TopicPartition(INSPECTIONS_TOPIC, p) for p in consumer.partitions_for_topic(INSPECTIONS_TOPIC)
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        messages = []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(500).values():
                messages += [read_inspection_record(record.value) for record in records]
    finally:
        consumer.close()
    return [message for message in messages if isinstance(message, Inspection)]


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
