"""What the local stack has started, on disk, and the lock around changing it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.errors import StackBusyError, StackError
from orchestration.stack.processes import Deadline, ProcessId

STATE_FILE = "state.json"
LOCK_FILE = "lock"

LOCK_TIMEOUT_S = 90.0
"""The second of two `up` waits for the first, which takes under 30 s even on a busy machine."""

PartName = Literal["kafka", "redis", "ray"]
PARTS: tuple[PartName, ...] = ("kafka", "redis", "ray")


class StartedPart(BaseModel):
    """One server of ours: where it listens, its processes, its data and logs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    processes: tuple[ProcessId, ...]
    directory: Path

    @property
    def alive(self) -> bool:
        """Whether every process it was started with still runs."""
        return all(process.find() for process in self.processes)


class DeployedApplication(BaseModel):
    """The application on Ray.

    Attributes:
        digest: of its settings; empty while it is rolled out, and for good where that was cut off.
        report_store: where it writes reports.
        kafka: where it takes frames from; None in a state that an earlier version wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    report_store: str
    kafka: str | None = None


class StackState(BaseModel):
    """Every server of ours in one run directory.

    Attributes:
        application: what was deployed last; None when nothing was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    parts: dict[PartName, StartedPart] = {}
    application: DeployedApplication | None = None

    @classmethod
    def read(cls, run_directory: Path) -> StackState:
        """The state of a run directory; empty when nothing was ever started there.

        Raises:
            StackError: the file is not one of ours.
        """
        path = run_directory / STATE_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError:
            raise StackError(f"{path} is no state of a Coilwatch stack; remove it to start anew") from None

    def write(self, run_directory: Path) -> None:
        """Replace the state in one step, so that a reader sees the old or the new one."""
        path = run_directory / STATE_FILE
        scratch = path.with_suffix(".new")
        # The digest of the settings covers their passwords: others have no business with it.
        scratch.touch(mode=0o600)
        scratch.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        scratch.replace(path)

    def with_part(self, name: PartName, part: StartedPart | None) -> StackState:
        """The state with one part added, replaced or, by None, removed."""
        parts = {**self.parts}
        parts.pop(name, None)
        return self.model_copy(update={"parts": parts | ({name: part} if part else {})})

    def with_application(self, application: DeployedApplication | None) -> StackState:
        """The state with the application deployed or, by None, withdrawn."""
        return self.model_copy(update={"application": application})


@contextmanager
def locked(run_directory: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the run directory against other processes.

    Raises:
        StackBusyError: another process held it for longer than `timeout_s`.
    """
    run_directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run_directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = Deadline(timeout_s)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline.passed:
                    raise StackBusyError(
                        f"{run_directory}: another process has been starting or stopping this stack for "
                        f"{timeout_s:.0f} s"
                    ) from None
                deadline.pause()
        yield
    finally:
        os.close(descriptor)
