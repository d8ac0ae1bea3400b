"""The whole path with nothing mocked: Kafka, Valkey, Ray Serve, the shipped network, real steel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.publisher import Publisher
from ingest.records import CoilKey
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource
from orchestration.inspector import open_inspector
from orchestration.line import CoilNotReportedError, running_line, wait_for_report
from orchestration.settings import Settings
from orchestration.streaming import stream
from tests.orchestration.border_crossers import border_crossers
from tests.orchestration.line_logs import line_logs
from tests.replicas import replicas
from workers.coil.grading import GradingRules
from workers.in_process import inspect_coil
from workers.report.json_report import read_report, report_json
from workers.report.scoring import score
from workers.report.store import ReportStore
from workers.streams.live_view import LiveView
from workers.streams.redis_client import redis_client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

REPORT_TIMEOUT_S = 200
FIRST_FRAMES_TIMEOUT_S = 120
LEAST_RECALL = 0.9
KILLED_COIL_M = 14.0
"""At 1 m/s it outlives the session of the killed worker, 10 s, after which its partitions move."""


def settings_for(folder: Path, *, batch_frames: int, partitions: int) -> Settings:
    settings = Settings.model_validate(
        {
            "run_directory": folder / "run",
            "kafka": {"frames_partitions": partitions, "inspections_partitions": max(1, partitions // 2)},
            "frame_worker": {"batch_frames": batch_frames},
            "ray": {"frame_workers": 2, "inspectors": 2},
        }
    )
    return settings.with_reports(folder / "reports")


def calm_report(coil: SimulatedCoil) -> bytes:
    settings = Settings()
    inspector = open_inspector(settings, threads=2)
    rules = GradingRules.load(settings.grading.file)
    return report_json(
        inspect_coil(SimulatedSource(coil), inspector, rules=rules, joining=settings.joining).report
    )


def distributed_report(coil: SimulatedCoil, settings: Settings) -> bytes:
    with Publisher(settings.kafka.connection()) as publisher:
        stream(SimulatedSource(coil), publisher)
    return finished_report(coil, settings)


def finished_report(coil: SimulatedCoil, settings: Settings) -> bytes:
    key = (coil.line, coil.coil, 1)
    try:
        wait_for_report(settings, key, timeout_s=REPORT_TIMEOUT_S)
    except CoilNotReportedError as error:
        pytest.fail(f"{error}\n{line_logs(settings.run_directory)}")
    return report_json(ReportStore(settings.reports.store).read(*key))


@pytest.fixture(scope="module")
def calm_sample() -> bytes:
    return calm_report(SimulatedCoil())


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("line")
    with running_line(settings_for(folder, batch_frames=8, partitions=8)) as settings:
        yield settings


def test_the_sample_coil_reports_as_in_one_process(line: Settings, calm_sample: bytes) -> None:
    assert distributed_report(SimulatedCoil(), line) == calm_sample


def test_nine_of_ten_planted_defects_are_found_and_none_is_split_at_a_border(calm_sample: bytes) -> None:
    coil, report = SimulatedCoil(), read_report(calm_sample)
    truth = coil.truth()
    recall = score(report, truth).recall
    assert recall.share >= LEAST_RECALL, f"{recall.found} of {recall.defects}"
    # Without tolerance: a false event beside a scratch is no part of it.
    strict = score(report, truth, tolerance_mm=0.0)
    not_one_event = {
        "missed": {defect.id for defect in strict.missed},
        "split": {split.defect for split in strict.split},
        "merged": {defect for merged in strict.merged for defect in merged.defects[1:]},
    }
    crossers = {defect.id for defect in border_crossers(truth.defects, coil.bands, coil.along_mm(1))}
    assert len(crossers) > 10
    assert {fate: crossers & defects for fate, defects in not_one_event.items()} == {
        fate: set() for fate in not_one_event
    }


@pytest.mark.slow
def test_a_killed_frame_worker_changes_nothing(line: Settings) -> None:
    coil = SimulatedCoil(length_m=KILLED_COIL_M, seed=11, coil="killed-worker")
    calm = calm_report(coil)
    live_view = LiveView(redis_client(line.redis.url))
    key = (coil.line, coil.coil, 1)
    source = SimulatedSource(coil)

    def send() -> None:
        with Publisher(line.kafka.connection()) as publisher:
            stream(source, publisher, speed_mps=1.0)

    sending = threading.Thread(target=send)
    sending.start()
    _wait_for_frames(live_view, key, line, inspected=8)
    workers = replicas(line.run_directory, "FrameWorker")
    assert len(workers) == 2
    workers[0].kill()
    seen = live_view.read(key)
    assert seen is not None
    assert seen.inspected < (source.total_frames or 0), "the kill came after the coil"
    sending.join()
    assert finished_report(coil, line) == calm


@pytest.mark.slow
def test_other_batches_and_partitions_report_the_same(tmp_path: Path, calm_sample: bytes) -> None:
    with running_line(settings_for(tmp_path, batch_frames=3, partitions=3)) as settings:
        assert distributed_report(SimulatedCoil(), settings) == calm_sample


def _wait_for_frames(live_view: LiveView, key: CoilKey, settings: Settings, *, inspected: int) -> None:
    deadline = time.monotonic() + FIRST_FRAMES_TIMEOUT_S
    while (seen := live_view.read(key)) is None or seen.inspected < inspected:
        if time.monotonic() > deadline:
            pytest.fail(f"no {inspected} frames inspected\n{line_logs(settings.run_directory)}")
        threading.Event().wait(0.05)
