from __future__ import annotations

import ctypes
import os
import platform
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from ingest.kafka import FRAMES_TOPIC
from orchestration.errors import StartError, UnreachableError
from orchestration.settings import RedisSettings, Settings
from orchestration.stack import Stack, kafka, valkey
from orchestration.stack.processes import ProcessId, wait_ended, with_environment
from orchestration.stack.ray_local import MARK, processes
from orchestration.stack.state import DeployedApplication, StackState, StartedPart
from orchestration.stack.topics import lag

pytestmark = pytest.mark.stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(Settings(run_directory=tmp_path / "run"))
    yield stack
    stack.down()


def only_process(stack: Stack, part: str) -> ProcessId:
    return next(started.processes[0] for name, started in stack.started().items() if name == part)


def test_up_twice_is_harmless_and_down_ends_what_was_started(stack: Stack, servers: Stack) -> None:
    assert stack.up(("redis",)) == ["redis"]
    again = Stack(stack.settings)
    assert again.up(("redis",)) == []
    assert again.redis_url() == stack.redis_url() != servers.redis_url()
    assert again.down_started() == []
    process = only_process(stack, "redis")
    assert stack.down_started() == ["redis"]
    assert process.find() is None
    assert stack.down() == []
    assert only_process(servers, "redis").find() is not None


def test_a_dead_broker_is_started_again_with_its_log(stack: Stack) -> None:
    stack.up(("kafka",))
    broker = only_process(stack, "kafka")
    os.kill(broker.pid, signal.SIGKILL)
    assert wait_ended([broker], 20)
    with pytest.raises(UnreachableError, match="Kafka is not running: start it by `coilwatch up`"):
        stack.kafka_connection()
    assert stack.up(("kafka",)) == ["kafka"]
    assert lag(stack.kafka_connection(), {"group": FRAMES_TOPIC}) == {"group": 0}


def test_a_pid_of_another_process_is_never_ended(stack: Stack) -> None:
    own = ProcessId.of(psutil.Process())
    reused = own.model_copy(update={"started_s": own.started_s - 60})
    stack.up(("redis",))
    part = StartedPart(address="127.0.0.1:1", processes=(reused,), directory=stack.settings.run_directory)
    state = StackState.read(stack.settings.run_directory)
    state.with_part("kafka", part).write(stack.settings.run_directory)
    assert set(stack.started()) == {"redis"}
    assert stack.down() == ["redis", "kafka"]
    assert own.find() is not None


def test_what_was_started_is_ended_when_another_part_fails(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[StartedPart] = []

    def fail(*_arguments: object) -> StartedPart:
        raise StartError("no luck")

    def start(settings: RedisSettings, directory: Path, record: Callable[[StartedPart], None]) -> StartedPart:
        started.append(valkey_start(settings, directory, record))
        return started[0]

    valkey_start = valkey.start
    monkeypatch.setattr(kafka, "start", fail)
    monkeypatch.setattr(valkey, "start", start)
    with pytest.raises(StartError, match="no luck"):
        stack.up(("kafka", "redis"))
    assert [part.alive for part in started] == [False]
    assert StackState.read(stack.settings.run_directory) == StackState()


def test_what_starts_while_a_signal_comes_is_ended_as_well(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled = Event()

    def start(*arguments: Any) -> StartedPart:
        signalled.wait()
        return valkey_start(*arguments)

    def interrupted(*_arguments: object) -> None:
        signalled.set()
        raise SystemExit(143)

    valkey_start = valkey.start
    monkeypatch.setattr(valkey, "start", start)
    monkeypatch.setattr("orchestration.stack.stack.wait", interrupted)
    with pytest.raises(SystemExit):
        stack.up(("redis",))
    assert StackState.read(stack.settings.run_directory) == StackState()
    assert not [p for p in psutil.process_iter() if str(stack.settings.run_directory) in " ".join(cmdline(p))]


def test_a_named_cluster_that_is_away_keeps_no_server_running(stack: Stack) -> None:
    stack.up(("redis",))
    process = only_process(stack, "redis")
    run_directory = stack.settings.run_directory
    deployed = DeployedApplication(digest="d", report_store="/reports")
    StackState.read(run_directory).with_application(deployed).write(run_directory)
    away = {"run_directory": run_directory, "ray": {"address": "127.0.0.1:1"}}
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        Stack(Settings.model_validate(away)).down()
    assert process.find() is None
    assert StackState.read(run_directory) == StackState(application=deployed)


def cmdline(process: psutil.Process) -> list[str]:
    """Of a process that may have ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_existing_servers_are_used_and_left_alone(servers: Stack, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "run_directory": tmp_path,
            "kafka": {"bootstrap_servers": servers.kafka_connection().bootstrap_servers},
            "redis": {"url": servers.redis_url()},
        }
    )
    stack = Stack(settings)
    assert stack.up(("kafka", "redis")) == []
    assert stack.connected(("kafka",)) == settings
    assert [(row.part, row.health) for row in stack.status()][:2] == [("Kafka", "up"), ("Valkey", "up")]
    assert stack.down() == []
    assert len(servers.started()) == 2


def test_an_existing_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"run_directory": tmp_path, "redis": {"url": "redis://127.0.0.1:1/0"}})
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        Stack(settings).up(("redis",))


def test_a_certificate_that_is_not_there_shows_where_its_part_is_shown(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    kafka = {"bootstrap_servers": "127.0.0.1:1", "security_protocol": "SSL", "tls_ca_file": missing}
    redis = {"url": "rediss://127.0.0.1:1/0", "tls_ca_file": missing}
    settings = Settings.model_validate({"run_directory": tmp_path, "kafka": kafka, "redis": redis})
    for row, setting in zip(Stack(settings).status(), ("kafka", "redis"), strict=False):
        assert row.health == "down"
        assert row.lag == f"{setting}.tls_ca_file {missing}: expected a file, got No such file or directory"


def test_a_stack_that_does_not_run_says_so(stack: Stack) -> None:
    assert {row.health for row in stack.status()} == {"down"}
    assert stack.connected(()) == stack.settings
    with pytest.raises(UnreachableError, match="COILWATCH_KAFKA__BOOTSTRAP_SERVERS"):
        stack.connected(("kafka",))


@pytest.mark.timeout(240)
def test_ray_comes_and_goes_whole(stack: Stack) -> None:
    stack.up(("ray",))
    stack.connect_ray()
    import ray  # noqa: PLC0415

    place = stack.settings.run_directory / "ray"
    temporary = (place / "temporary").readlink()
    try:

        @ray.remote
        def worker_pid() -> int:
            return os.getpid()

        @ray.remote
        def heaps_of_worker(account: Path) -> int:
            library = ctypes.CDLL(None)
            library.fopen.restype = ctypes.c_void_p
            stream = ctypes.c_void_p(library.fopen(bytes(account), b"w"))
            library.malloc_info(0, stream)
            library.fclose(stream)
            return account.read_text("utf-8").count("<heap nr=")

        assert ray.get(worker_pid.remote()) in {member.pid for member in processes(place)}
        heaps = ray.get(heaps_of_worker.remote(stack.settings.run_directory / "heaps.xml"))
        assert heaps <= 2 or platform.libc_ver()[0] != "glibc", "a worker keeps every thread's freed memory"
        application = stack.status()[-1]
        assert (application.health, application.lag) == ("down", "not deployed")
        assert stack.connected(("ray",)).ray.address == stack.ray_address()
    finally:
        stack.disconnect_ray()
        stack.down()
    assert with_environment(MARK, str(temporary)) == []
    assert not temporary.exists()
