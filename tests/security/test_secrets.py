"""Passwords show in no output and no log line of a command."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import SettingsError, UnreachableError
from orchestration.settings import RedisSettings
from orchestration.settings_layers import load
from orchestration.stack import valkey
from orchestration.stack.ports import free_port
from tests.orchestration.cli.conftest import Coilwatch, coilwatch
from tests.security.locked_redis import redis_server
from tests.workers.streams.frames import frame
from workers.inspection.records import ModelIdentity
from workers.report.errors import StoreError
from workers.report.store import ReportStore
from workers.streams.redis_client import redis_client
from workers.streams.redis_rest import RedisRest
from workers.streams.result_cache import ResultCache

__all__ = ["coilwatch"]

SECRET = "s3cr3t"  # noqa: S105 - what the tests look for
VARIABLES = {
    "COILWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "COILWATCH_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
    "COILWATCH_KAFKA__SASL_USERNAME": "strip",
    "COILWATCH_KAFKA__SASL_PASSWORD": SECRET,
    "COILWATCH_KAFKA__TLS_KEY_PASSWORD": SECRET,
    "COILWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "COILWATCH_REDIS__PASSWORD": SECRET,
    "COILWATCH_REDIS__URL": f"redis://user:{SECRET}@127.0.0.1:1/0",
    "COILWATCH_REPORTS__STORE": f"ftp://user:{SECRET}@127.0.0.1:1/reports",
}


@pytest.mark.parametrize("command", ["settings", "status"])
def test_no_output_shows_a_password(
    coilwatch: Coilwatch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    command: str,
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.DEBUG):
        ran = coilwatch("--set", f"run_directory={tmp_path}", "--debug", command)
    assert ran.out
    for text in (ran.out, ran.err, caplog.text):
        assert SECRET not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("redis.url", f"http://:{SECRET}@host"),
        ("redis.url", f"redis://:{SECRET}/x@host"),
        ("redis.url", f"{SECRET}@host"),
        ("redis.url", [SECRET]),
        ("kafka.sasl_password", [SECRET]),
        ("kafka.tls_key_password", {"x": SECRET}),
    ],
)
def test_a_setting_that_does_not_validate_hides_what_came(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=key) as caught:
        load(options={key: value}, environment={})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("password", [SECRET, f"a@{SECRET}", f"{SECRET}@b", f"%2F{SECRET}"])
def test_settings_mask_a_password_whatever_is_in_it(password: str) -> None:
    loaded = load(options={"redis.url": f"redis://u:{password}@host:1/0"}, environment={})
    (shown,) = (origin.value for origin in loaded.origins() if origin.key == "redis.url")
    assert shown == "redis://u:********@host:1/0"


@pytest.mark.parametrize("protocol", ["wonder", "ftp"])
def test_a_report_store_that_cannot_be_opened_hides_its_password(protocol: str) -> None:
    with pytest.raises(StoreError) as caught:
        ReportStore(f"{protocol}://user:{SECRET}@127.0.0.1:1/reports")
    assert SECRET not in str(caught.value)


@pytest.fixture
def locked_redis(tmp_path: Path) -> Iterator[str]:
    """The address of a real server that asks for the password, which it reads from a file."""
    port = free_port()
    settings = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0", "password": SECRET})
    with redis_server(tmp_path, valkey.find_program(), f"port {port}", settings):
        yield settings.url


@pytest.mark.stack
def test_redis_with_a_password(locked_redis: str) -> None:
    right = RedisSettings.model_validate({"url": locked_redis, "password": SECRET})
    client = redis_client(right.url, right.client_options())
    client.set("a", "b")
    assert client.get("a") == b"b"
    client.close()
    for settings in (
        RedisSettings(url=locked_redis),
        RedisSettings.model_validate({"url": locked_redis, "password": f"not-{SECRET}"}),
        RedisSettings(url=locked_redis.replace("//", f"//:not-{SECRET}@")),
    ):
        with pytest.raises(UnreachableError, match=r"(?i)Redis does not answer: .*(auth|password)") as caught:
            valkey.check(settings)
        assert "\n" not in str(caught.value)
        assert SECRET not in str(caught.value)


@pytest.mark.stack
def test_a_worker_without_the_password_goes_on_without_redis(
    locked_redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = redis_client(locked_redis, {"password": f"not-{SECRET}"})
    rest = RedisRest()
    identity = ModelIdentity(name="a", version="1", digest="0" * 32)
    assert ResultCache(client, rest).get([frame("C1", 0)], identity) is None
    assert rest.resting
    client.close()
    assert "left alone" in caplog.text
    assert SECRET not in caplog.text
