"""Starting before Kafka is there, SIGTERM, and `down` in mid-coil: real brokers, processes and signals."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.broker_probe import wait_for_broker
from ingest.kafka import KafkaConnection
from ingest.publisher import Publisher
from ingest.records import CoilKey
from ingest.simulation import SimulatedCoil, write_coil
from ingest.sources.simulated import SimulatedSource
from orchestration import line
from orchestration.cli.sigterm import tidying_up_on_sigterm
from orchestration.cli.sources import open_source
from orchestration.errors import UnreachableError
from orchestration.inspector import open_inspector
from orchestration.line import CoilNotReportedError, start_line, stop_line, wait_for_report
from orchestration.loop_thread import LoopThread
from orchestration.settings import Settings
from orchestration.stack import Stack, ray_local, serve
from orchestration.stack.ports import free_port
from orchestration.stack.state import PartName, StackState
from orchestration.termination import EXIT_CODE
from tests.orchestration.frame_records import records
from tests.orchestration.line_logs import line_logs
from tests.workers.streams.frames import LINE, InThisProcess, closed, frame, opened
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.in_process import inspect_coil
from workers.report.json_report import report_json
from workers.report.store import ReportStore
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import CoilLoop
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.live_view import LiveView
from workers.streams.redis_client import redis_client
from workers.streams.report_writers import ReportWriters

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

KAFKA: tuple[PartName, ...] = ("kafka",)
KNOCK_S = 0.5
WAIT_S = 90.0
ENDED_S = 10.0
"""What a SIGTERM may take."""
FRAMES = 12
ENTRY = "from orchestration.cli import main; main()"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.05)


# --- before Kafka is there


class Workers:
    """A frame worker and a coil worker as replicas run them, the inspector in this process."""

    def __init__(self, kafka: KafkaConnection, reports: Path) -> None:
        self.kafka = kafka
        self.store = ReportStore(str(reports))
        pause_s = 0.2
        self._threads = (
            LoopThread("frame worker", self._frame_loop, pause_s=pause_s),
            LoopThread("coil worker", self._coil_loop, pause_s=pause_s),
        )

    def check(self) -> None:
        for thread in self._threads:
            thread.check()

    def stop(self) -> None:
        for thread in self._threads:
            thread.stop()

    def _frame_loop(self) -> FrameLoop:
        wait_for_broker(self.kafka, KNOCK_S)
        return FrameLoop(
            group_consumer(self.kafka, "frames", "frames"),
            transactional_producer(self.kafka, "frames"),
            InThisProcess(),
        )

    def _coil_loop(self) -> CoilLoop:
        wait_for_broker(self.kafka, KNOCK_S)
        return CoilLoop(
            group_consumer(self.kafka, "coils", "inspections"),
            transactional_producer(self.kafka, "coils"),
            ReportWriters(self.store),
            CoilHistory(self.kafka),
            rules=GradingRules.load(),
            joining=JoiningSettings(),
        )


def test_workers_wait_for_a_kafka_that_starts_after_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"127.0.0.1:{free_port()}"
    kafka = {"bootstrap_servers": address, "embedded": True}
    stack = Stack(Settings.model_validate({"run_directory": tmp_path / "run", "kafka": kafka}))
    connection = KafkaConnection(bootstrap_servers=address)
    told = {
        f"{name} begins anew: no Kafka broker at {address} within {KNOCK_S:g} s: Connection refused"
        for name in ("frame worker", "coil worker")
    }
    with caplog.at_level(logging.WARNING, "orchestration.loop_thread"):
        workers = Workers(connection, tmp_path / "reports")
        try:
            wait_until(lambda: told <= {log.getMessage() for log in caplog.records}, "the messages")
            stack.up(KAFKA)
            assert stack.kafka_connection().bootstrap_servers == address
            with Publisher(connection) as publisher:
                publisher.open_coil(opened("early"))
                for sequence in range(FRAMES):
                    publisher.send(frame("early", sequence))
                publisher.close_camera(closed("early", FRAMES))
            wait_until(lambda: workers.store.has(LINE, "early", 1), "the report")
            workers.check()
        finally:
            workers.stop()
            stack.down()
    assert workers.store.read(LINE, "early", 1).coverage_share == 1.0


def test_up_waits_for_servers_that_are_named_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        address, redis = (f"127.0.0.1:{s.getsockname()[1]}" for s in (late, other))
        stack = Stack(
            Settings.model_validate(
                {
                    "run_directory": tmp_path,
                    "kafka": {"bootstrap_servers": address},
                    "redis": {"url": f"redis://{redis}/0"},
                    "ray": {"address": redis},
                }
            )
        )
        monkeypatch.setattr(stack, "up", lambda **_: told.append("up"))
        monkeypatch.setattr(stack, "deploy", lambda *_, **__: told.append("deployed"))
        starting = threading.Thread(target=line.start_line, args=(stack, told.append))
        starting.start()
        waiting = f"Waiting for {address}: nobody listens there yet ..."
        wait_until(lambda: told == [waiting], "the message")
        late.listen()
        starting.join(WAIT_S)
    assert told == [waiting, "up", "Deploying frame workers, inspectors and the coil worker ...", "deployed"]


def test_up_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "NAMED_TIMEOUT_S", 0.5)
    address = f"127.0.0.1:{free_port()}"
    named = {"run_directory": tmp_path, "kafka": {"bootstrap_servers": address}}
    with pytest.raises(UnreachableError, match=f"Kafka at {address} does not answer"):
        line.start_line(Stack(Settings.model_validate(named)))


# --- SIGTERM


@pytest.fixture
def handler() -> Iterator[object]:
    """What handles SIGTERM before the test, and after it again."""
    before = signal.getsignal(signal.SIGTERM)
    yield before
    signal.signal(signal.SIGTERM, before)


def test_sigterm_unwinds_and_a_second_one_is_ignored(handler: object) -> None:
    tidied = []

    def run() -> None:
        with tidying_up_on_sigterm():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                tidied.append("all of it")

    with pytest.raises(SystemExit) as ended:
        run()
    os.kill(os.getpid(), signal.SIGTERM)
    assert (ended.value.code, tidied) == (EXIT_CODE, ["all of it"])


def test_without_sigterm_its_handler_is_as_before(handler: object) -> None:
    with tidying_up_on_sigterm():
        assert signal.getsignal(signal.SIGTERM) is not handler
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.fixture
def kafka_stack(tmp_path: Path) -> Iterator[Stack]:
    """A broker of the test's own: nothing but its coils is there."""
    stack = Stack(Settings(run_directory=tmp_path / "run"))
    try:
        stack.up(KAFKA)
        yield stack
    finally:
        stack.down()


def test_ingest_that_was_terminated_goes_on_and_counts_no_frame_twice(
    kafka_stack: Stack, tmp_path: Path
) -> None:
    strip = tmp_path / "strip"
    strip.mkdir()
    write_coil(SimulatedCoil(length_m=2.4), strip)
    run_directory = kafka_stack.settings.run_directory
    ingest = ("ingest", strip, "--coil", "terminated", "--run", "1")
    slow = started(run_directory, *ingest, "--speed-mps", "0.2")
    kafka = kafka_stack.kafka_connection()
    wait_until(lambda: records(kafka) >= 5, "frames in Kafka")
    slow.terminate()
    slow.terminate()
    _, errors = slow.communicate(timeout=ENDED_S)
    assert (slow.returncode, "Traceback" in errors) == (EXIT_CODE, False), errors
    published = records(kafka)

    again = started(run_directory, *ingest)
    _, errors = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0, errors
    workers = Workers(kafka, tmp_path / "reports")
    source = open_source(strip, "terminated")
    try:
        wait_until(lambda: workers.store.has(source.opened().line, "terminated", 1), "the report")
        workers.check()
    finally:
        workers.stop()
    assert records(kafka) >= published + (source.total_frames or 0)
    calm = inspect_coil(
        source, InThisProcess().inspector, rules=GradingRules.load(), joining=JoiningSettings()
    ).report
    assert report_json(workers.store.read(calm.line, calm.coil, 1)) == report_json(calm)


def started(run_directory: Path, *arguments: object) -> subprocess.Popen[str]:
    chosen = ["--set", f"run_directory={run_directory}"]
    command = [sys.executable, "-c", ENTRY, *chosen, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


# --- the whole line


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_that_is_terminated_stops_what_it_started(tmp_path: Path) -> None:
    run_directory = tmp_path / "run"
    reports = tmp_path / "reports"
    demo = started(run_directory, "demo", "--no-open", "--speed-mps", "0.2", "--output", reports)
    try:
        wait_until(lambda: "Inspector" in ray_local.replicas(run_directory / "ray", serve.NAME), "the line")
        demo.terminate()
        demo.terminate()
        _, errors = demo.communicate(timeout=2 * ENDED_S)
        assert demo.returncode == EXIT_CODE, errors
        assert StackState.read(run_directory).parts == {}
    finally:
        demo.kill()
        Stack(Settings(run_directory=run_directory)).down()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_line_that_goes_down_in_mid_coil_goes_on_when_it_is_up_again(tmp_path: Path) -> None:
    settings = Settings(run_directory=tmp_path / "run").with_reports(tmp_path / "reports")
    coil = SimulatedCoil(length_m=6.0, seed=11, coil="interrupted")
    frames = list(SimulatedSource(coil).frames())
    half = len(frames) // 2
    stack = Stack(settings)
    try:
        running = start_line(stack)
        with Publisher(running.kafka.connection()) as publisher:
            publisher.open_coil(SimulatedSource(coil).opened())
            for item in frames[:half]:
                publisher.send(item)
        live_view = LiveView(redis_client(running.redis.url))
        key: CoilKey = (coil.line, coil.coil, 1)
        wait_until(
            lambda: (seen := live_view.read(key)) is not None and seen.inspected >= 4, "frames inspected"
        )
        stop_line(stack)

        running = start_line(stack)
        with Publisher(running.kafka.connection()) as publisher:
            for item in frames[half:]:
                publisher.send(item)
            for camera in SimulatedSource(coil).closed():
                publisher.close_camera(camera)
        try:
            wait_for_report(running, key, timeout_s=2 * WAIT_S)
        except CoilNotReportedError as error:
            pytest.fail(f"{error}\n{line_logs(settings.run_directory)}")
    finally:
        stop_line(stack)
    calm = inspect_coil(
        SimulatedSource(coil),
        open_inspector(settings, threads=2),
        rules=GradingRules.load(),
        joining=settings.joining,
    ).report
    assert report_json(ReportStore(running.reports.store).read(*key)) == report_json(calm)
