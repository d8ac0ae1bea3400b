"""Redis over TLS with a password: Debian's server, for the embedded one is built without TLS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import UnreachableError
from orchestration.settings import RedisSettings
from orchestration.stack import valkey
from orchestration.stack.ports import free_port
from tests.security.locked_redis import redis_server
from tests.workers.streams.frames import InThisProcess, frame
from workers.streams.redis_client import redis_client
from workers.streams.result_cache import ResultCache

SECRET = "s3cr3t"  # noqa: S105 - of a server that lives as long as a test
PROGRAMS = {name: shutil.which(name) for name in ("redis-server", "openssl")}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack,
    pytest.mark.skipif(
        not all(PROGRAMS.values()), reason="needs redis-server and openssl of the system's packages"
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    directory, port = tmp_path_factory.mktemp("redis"), free_port()
    key, certificate = directory / "redis.key", directory / "redis.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = [PROGRAMS["openssl"], "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)  # type: ignore[list-item]
    settings = RedisSettings.model_validate(
        {"url": f"rediss://127.0.0.1:{port}/0", "password": SECRET, "tls_ca_file": certificate}
    )
    tls = f"port 0\ntls-port {port}\ntls-cert-file {certificate}\ntls-key-file {key}\ntls-auth-clients no"
    with redis_server(directory, Path(PROGRAMS["redis-server"] or ""), tls, settings):
        yield settings


def test_results_are_cached_over_tls(served: RedisSettings) -> None:
    client = redis_client(served.url, served.client_options())
    try:
        inspector, cache, frames = InThisProcess(), ResultCache(client), [frame("C1", 0)]
        results = inspector.submit(frames).result()
        assert cache.get(frames, inspector.identity()) == [None]
        cache.put(frames, results)
        assert cache.get(frames, inspector.identity()) == results
    finally:
        client.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tls_ca_file": None}, "(?i)certificate verify failed"),
        ({"password": "wrong-one"}, "(?i)(auth|password)"),
        ({"password": None}, "(?i)(auth|password)"),
    ],
    ids=["unknown certificate", "wrong password", "no password"],
)
def test_everybody_else_gets_one_clear_line(
    served: RedisSettings, changes: dict[str, object], says: str
) -> None:
    refused = RedisSettings.model_validate(served.model_dump() | changes)
    with pytest.raises(UnreachableError, match=says) as caught:
        valkey.check(refused)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "wrong-one" not in str(caught.value)
