"""Processes that outlive the command that started them, and that are never mistaken for others."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

TERMINATE_S = 10.0
"""Between SIGTERM and SIGKILL. Kafka needs a second; killed earlier it recovers its log at start."""

START_TIME_TOLERANCE_S = 0.05
"""The kernel counts start times in ticks of 10 ms, and psutil adds the boot time to them as a float."""

LAST_LINES = 12


class ProcessId(BaseModel):
    """A process by pid and start time, so that a pid that was given again is not taken for it.

    Attributes:
        started_s: seconds since the epoch, as psutil reports it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started_s: float

    @classmethod
    def of(cls, process: psutil.Process) -> ProcessId:
        """The identity of a running process."""
        return cls(pid=process.pid, started_s=process.create_time())

    def find(self) -> psutil.Process | None:
        """The process, or None when it has ended or its pid is now another's."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_s) <= START_TIME_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start_detached(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> ProcessId:
    """Start a program in a session of its own, its output appended to a log file.

    Args:
        command: begins with the program's path.
        environment: added to this process's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        [str(part) for part in command],
        {**os.environ, **(environment or {})},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores SIGPIPE, and programs inherit what is ignored.
        setsigdef=[signal.SIGPIPE],
    )
    return ProcessId.of(psutil.Process(pid))


def end(processes: Iterable[ProcessId], *, at_once: bool = False) -> None:
    """End processes: SIGTERM, and SIGKILL to those that are still there `TERMINATE_S` later.

    Args:
        at_once: SIGKILL only, for processes that have nothing to save.
    """
    members = list(processes)
    for send in (psutil.Process.kill,) if at_once else (psutil.Process.terminate, psutil.Process.kill):
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process := member.find():
                    send(process)
        if wait_ended(members, TERMINATE_S):
            break
    for member in members:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(member.pid, os.WNOHANG)


def wait_ended(processes: Iterable[ProcessId], timeout_s: float) -> bool:
    """Wait until all have ended; False when some have not after `timeout_s`.

    A process that nobody has waited for yet (in a container without an init, for ever) counts as ended.
    """
    deadline = Deadline(timeout_s)
    remaining = [process for process in processes if process.find()]
    while remaining and not deadline.passed:
        deadline.pause(0.02)
        remaining = [process for process in remaining if process.find()]
    return not remaining


def with_environment(name: str, value: str) -> list[ProcessId]:
    """The running processes of this user that were started with an environment variable of that value."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(ProcessId.of(process))
        except (psutil.Error, OSError):
            continue
    return found


def last_lines(log: Path, lines: int = LAST_LINES) -> str:
    """The end of a log file, for an error message."""
    if not log.is_file():
        return "(no log)"
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line[:300] for line in text[-lines:]) or "(empty log)"


class Deadline:
    """Time that is left for something to happen."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end

    def pause(self, interval_s: float = 0.05) -> None:
        """Wait a moment before asking again."""
        time.sleep(interval_s)
