"""`coilwatch ingest --spool`."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ingest.errors import PublishError
from ingest.kafka import KafkaConnection
from ingest.spool import Spool
from ingest.spool_backlog import Backlog
from ingest.spool_publisher import SpoolingPublisher, SpoolOptions
from orchestration import spooled_runs
from orchestration.cli import spool_view
from orchestration.cli.sources import open_source
from orchestration.cli.spool_view import SpoolTeller, backlog_note
from orchestration.spooled_runs import spooled_run
from orchestration.streaming import stream
from tests.ingest.spooling import closed, opened
from tests.orchestration.cli.conftest import Coilwatch
from tests.orchestration.frame_records import records
from workers.report.store import ReportStore

LIMIT_BYTES = 100_000_000
NOWHERE = KafkaConnection(bootstrap_servers="127.0.0.1:1")
KEY = ("line-1", "C1")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportStore:
    monkeypatch.setenv("COILWATCH_REPORTS__STORE", str(tmp_path / "reports"))
    return ReportStore(str(tmp_path / "reports"))


@pytest.fixture
def line_runs(kafka: KafkaConnection, store: ReportStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)


@pytest.mark.parametrize("limit", ["soon", "1MB", "-5"])
def test_a_limit_that_is_none(coilwatch: Coilwatch, strip: Path, tmp_path: Path, limit: str) -> None:
    ran = coilwatch("ingest", strip, "--coil", "C1", "--spool", tmp_path, "--spool-limit", limit)
    assert ran.code == 1
    assert ran.error.startswith("--spool-limit: limit_bytes: ")


def test_a_spool_that_another_has(
    coilwatch: Coilwatch, strip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: ReportStore
) -> None:
    monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP_SERVERS", NOWHERE.bootstrap_servers)
    spool = Spool(tmp_path / "spool", limit_bytes=LIMIT_BYTES)
    ran = coilwatch("ingest", strip, "--coil", "C1", "--spool", tmp_path / "spool")
    spool.close()
    assert ran.code == 1
    assert ran.error.startswith(f"spool {tmp_path}/spool is in use by process ")


@pytest.mark.stack
def test_a_coil_goes_on_as_the_run_that_it_was_and_comes_again_as_the_next(
    coilwatch: Coilwatch, strip: Path, coil: str, tmp_path: Path, line_runs: None
) -> None:
    source = open_source(strip, coil)
    frames = list(source.frames())
    with SpoolingPublisher(NOWHERE, SpoolOptions(tmp_path / "spool", LIMIT_BYTES)) as publisher:
        publisher.open_coil(source.opened())
        for frame in frames[:5]:
            publisher.send(frame)
    arguments = ("ingest", strip, "--coil", coil, "--spool", tmp_path / "spool")
    ran = coilwatch(*arguments)
    assert ran.code == 0
    assert f"Published {len(frames)} frames of coil {coil} run 1." in ran.err
    ran = coilwatch(*arguments)
    assert ran.code == 0
    assert f"Published {len(frames)} frames of coil {coil} run 2." in ran.err
    assert list((tmp_path / "spool").glob("*.spool")) == []


@pytest.mark.stack
@pytest.mark.usefixtures("line_runs")
def test_a_coil_that_was_safe_as_a_whole_goes_on_as_the_run_that_it_was(
    coilwatch: Coilwatch, strip: Path, coil: str, tmp_path: Path, kafka: KafkaConnection
) -> None:
    source = open_source(strip, coil)
    with SpoolingPublisher(NOWHERE, SpoolOptions(tmp_path / "spool", LIMIT_BYTES)) as publisher:
        frames = stream(source, publisher)
    before = records(kafka)
    arguments = ("ingest", strip, "--coil", coil, "--spool", tmp_path / "spool")
    ran = coilwatch(*arguments)
    assert ran.code == 0
    assert f"All of coil {coil} run 1 is safe already; --run 2 begins another run." in ran.err
    assert f"Published {frames} frames of coil {coil} run 1." in ran.err
    assert records(kafka) - before == frames + 1 + len(source.closed())
    assert f"Published {frames} frames of coil {coil} run 2." in coilwatch(*arguments).err


def test_a_run_that_is_whole_on_disk_goes_on_until_it_is_reported(
    tmp_path: Path, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled_runs, "wait_for_broker", lambda *_: None)
    monkeypatch.setattr(spooled_runs, "next_run", lambda *_: 1)
    told: list[str] = []
    with SpoolingPublisher(NOWHERE, SpoolOptions(tmp_path / "spool", LIMIT_BYTES)) as publisher:
        publisher.open_coil(opened())
        publisher.close_camera(closed(0))
        assert spooled_run(NOWHERE, store, publisher, KEY, told.append) == 1
        assert told == ["All of coil C1 run 1 is safe already; --run 2 begins another run."]
        monkeypatch.setattr(ReportStore, "has", lambda *_: True)
        assert spooled_run(NOWHERE, store, publisher, KEY, told.append) == 2
        assert publisher.runs(*KEY) == {1: False}


def test_the_run_of_a_new_coil_is_waited_for_with_a_message(
    tmp_path: Path, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def look(_connection: KafkaConnection, _timeout_s: float) -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise PublishError("no Kafka broker at nowhere")

    monkeypatch.setattr(spooled_runs, "wait_for_broker", look)
    monkeypatch.setattr(spooled_runs, "next_run", lambda *_: 4)
    told: list[str] = []
    with SpoolingPublisher(NOWHERE, SpoolOptions(tmp_path / "spool", LIMIT_BYTES)) as publisher:
        assert spooled_run(NOWHERE, store, publisher, KEY, told.append) == 4
    assert told == [
        "no Kafka broker at nowhere. Waiting for it: it knows the run of coil C1; with --run nothing waits."
    ]


def test_a_run_that_was_reported_meanwhile_is_over(
    tmp_path: Path, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled_runs, "wait_for_broker", lambda *_: None)
    monkeypatch.setattr(spooled_runs, "next_run", lambda *_: 1)
    with SpoolingPublisher(NOWHERE, SpoolOptions(tmp_path / "spool", LIMIT_BYTES)) as publisher:
        publisher.open_coil(opened())
        assert spooled_run(NOWHERE, store, publisher, KEY, print) == 1
        monkeypatch.setattr(ReportStore, "has", lambda *_: True)
        assert spooled_run(NOWHERE, store, publisher, KEY, print) == 2
        assert publisher.runs(*KEY) == {}


def test_a_backlog_in_words() -> None:
    assert backlog_note(Backlog(frames=3, data_bytes=100, age_s=0.4)) == ""
    assert backlog_note(Backlog(5, 2_000_000, 12.4, 3_000_000, 2, "no broker")) == (
        "Kafka 5 frames (2.0 MB, 12 s) behind, 3.0 MB spooled, 2 dropped, no broker"
    )


def test_the_beginning_and_the_end_of_spooling_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    looked = threading.Event()
    backlog = Backlog()

    def look() -> Backlog:
        looked.set()
        return backlog

    monkeypatch.setattr(spool_view, "say", said.append)
    monkeypatch.setattr(spool_view, "LOOK_S", 0.01)
    with SpoolTeller(Path("spool"), look):
        for now in (Backlog(), Backlog(spooled_bytes=5, waiting_for="no broker"), Backlog(5, 5, 5, 5, 3)):
            backlog = now
            for _ in range(2):
                looked.clear()
                assert looked.wait(10)
        backlog = Backlog(dropped=3)
    assert said == [
        "no broker: frames go to spool.",
        "spool is full: the oldest frames are dropped; the report will name them.",
        "Kafka has every frame again.",
    ]
