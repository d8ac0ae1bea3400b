from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.stack import processes
from orchestration.stack.processes import (
    Deadline,
    ProcessId,
    end,
    last_lines,
    start_detached,
    wait_ended,
    with_environment,
)

SLEEP = "import time; print('ready', flush=True); time.sleep(120)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessId]:
    process = start_python(SLEEP, tmp_path)
    yield process
    end([process], at_once=True)


def start_python(code: str, folder: Path, **environment: str) -> ProcessId:
    log = folder / "out.log"
    process = start_detached([sys.executable, "-c", code], log, environment)
    deadline = Deadline(20)
    while "ready" not in log.read_text() and not deadline.passed:
        deadline.pause()
    return process


def test_a_started_program_has_a_session_of_its_own(sleeper: ProcessId) -> None:
    assert os.getsid(sleeper.pid) == sleeper.pid
    assert sleeper.find() is not None


def test_a_pid_that_was_given_again_is_another_process(sleeper: ProcessId) -> None:
    other = ProcessId(pid=sleeper.pid, started_s=sleeper.started_s - 60)
    assert other.find() is None
    end([other])
    assert sleeper.find() is not None


def test_ended_means_gone(sleeper: ProcessId) -> None:
    assert not wait_ended([sleeper], 0)
    end([sleeper])
    assert sleeper.find() is None
    assert wait_ended([sleeper], 0)
    end([sleeper])


def test_who_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TERMINATE_S", 0.3)
    process = start_python(STUBBORN, tmp_path)
    end([process])
    assert wait_ended([process], 10)


def test_processes_are_found_by_their_environment(tmp_path: Path) -> None:
    process = start_python(SLEEP, tmp_path, COILWATCH_MARK=str(tmp_path))
    try:
        assert with_environment("COILWATCH_MARK", str(tmp_path)) == [process]
        assert with_environment("COILWATCH_MARK", "another") == []
    finally:
        end([process])
    assert with_environment("COILWATCH_MARK", str(tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "(no log)"), ("", "(empty log)"), ("a\nb\nc\n", "b\nc")],
    ids=["none", "empty", "lines"],
)
def test_the_last_lines_of_a_log(content: str | None, expected: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    if content is not None:
        log.write_text(content)
    assert last_lines(log, 2) == expected
