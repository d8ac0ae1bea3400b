"""A running line's passwords stand in no log and on no command line, also when they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.publisher import Publisher
from orchestration.line import start_line, stop_line, wait_for_report
from orchestration.settings import RedisSettings, Settings
from orchestration.stack import Stack, valkey
from orchestration.stack.ports import free_port
from orchestration.stack.processes import Deadline
from orchestration.streaming import stream
from tests.faults.small_coil import SmallCoil
from tests.orchestration.line_logs import line_logs
from tests.security.locked_redis import redis_server
from workers.streams.redis_client import redis_client

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

SECRET = "0f1e2d3c4b5a-of-a-line"  # noqa: S105 - what the test looks for
REPORT_TIMEOUT_S = 120


def written_by(run_directory: Path) -> Iterator[tuple[Path, str]]:
    """Every log of a line, Ray's among them."""
    ray = (run_directory / "ray" / "temporary" / "session_latest" / "logs").resolve()
    for file in [*run_directory.rglob("*.log"), *ray.rglob("*")]:
        if file.is_file():
            yield file, file.read_text(encoding="utf-8", errors="replace")


def command_lines() -> Iterator[str]:
    """Those of every process here that may be asked; titles are among them."""
    for process in psutil.process_iter(["cmdline"]):
        yield " ".join(process.info["cmdline"] or ())


def test_neither_logs_nor_command_lines_show_a_password(tmp_path: Path) -> None:
    port = free_port()
    locked = {"url": f"redis://127.0.0.1:{port}/0", "password": SECRET}
    settings = Settings.model_validate({"run_directory": tmp_path / "run", "redis": locked})
    stack = Stack(settings.with_reports(tmp_path / "reports"))
    server = tmp_path / "server"
    server.mkdir()
    access = RedisSettings.model_validate(locked)
    with redis_server(server, valkey.find_program(), f"port {port}", access):
        client = redis_client(access.url, access.client_options())
        try:
            running = start_line(stack)
            for coil in (SmallCoil("right-password"), SmallCoil("refused")):
                with Publisher(running.kafka.connection()) as publisher:
                    stream(coil, publisher)
                wait_for_report(running, coil.key, timeout_s=REPORT_TIMEOUT_S)
                client.config_set("requirepass", f"not-{SECRET}")
                client.client_kill_filter(_type="normal", skipme=True)
            deadline = Deadline(REPORT_TIMEOUT_S)
            while "left alone" not in line_logs(tmp_path / "run"):
                assert not deadline.passed, "no worker was refused"
                deadline.pause(0.2)
            assert [file for file, text in written_by(tmp_path / "run") if SECRET in text] == []
            assert [line for line in command_lines() if SECRET in line] == []
        finally:
            client.close()
            stop_line(stack)
