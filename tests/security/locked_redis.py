"""A real Redis that asks for a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import UnreachableError
from orchestration.settings import RedisSettings
from orchestration.stack import valkey
from orchestration.stack.processes import Deadline, end, last_lines, start_detached

START_TIMEOUT_S = 15.0


@contextmanager
def redis_server(directory: Path, program: Path, listens: str, settings: RedisSettings) -> Iterator[None]:
    """Run a server until the block ends.

    Args:
        listens: lines of its configuration that say where and how.
        settings: with which it answers; it asks for their password.
    """
    assert settings.password is not None
    secret = settings.password.get_secret_value()
    file, log = directory / "redis.conf", directory / "redis.log"
    file.write_text(f"{listens}\nbind 127.0.0.1\nsave ''\ndir {directory}\nrequirepass {secret}\n")
    process = start_detached([program, file], log)
    deadline = Deadline(START_TIMEOUT_S)
    try:
        while not _answers(settings):
            assert not deadline.passed, last_lines(log)
            deadline.pause(0.02)
        yield
    finally:
        end([process])


def _answers(settings: RedisSettings) -> bool:
    try:
        valkey.check(settings)
    except UnreachableError:
        return False
    return True
