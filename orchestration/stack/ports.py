"""Servers of our own come up on free TCP ports of the loopback interface, where others look for some, too."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from orchestration.errors import StartError, UnreachableError
from orchestration.stack.processes import Deadline, end, last_lines
from orchestration.stack.state import StartedPart

ATTEMPTS = 3
"""How many ports are tried when another server is faster each time."""

TAKEN = "Address already in use"


class PortTakenError(StartError):
    """Another server took the port between the look for a free one and the start."""


def free_port(preferred: int = 0) -> int:
    """The preferred TCP port of the loopback interface when nobody listens there, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free TCP port on 127.0.0.1")


def free_ports(count: int, other_than: int = 0) -> list[int]:
    """So many free ports for the parts of one server; two looks for any free one may find the same."""
    found: set[int] = set()
    while len(found) < count:
        found |= {free_port()} - {other_than}
    return list(found)


def start_on_free_port(preferred: int, start: Callable[[int], StartedPart]) -> StartedPart:
    """Start a server on the preferred port or a free one, and on another where somebody else was faster.

    A port may be taken seconds after it was found free, for a server takes that long to come up.

    Args:
        start: starts it on a port, or raises `PortTakenError`.

    Raises:
        PortTakenError: each of `ATTEMPTS` ports was taken.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return start(free_port(preferred))
        except PortTakenError:
            preferred = 0
    return start(free_port())


def come_up(
    name: str,
    part: StartedPart,
    log: Path,
    *,
    record: Callable[[StartedPart], None],
    is_ours: Callable[[], bool],
    timeout_s: float,
) -> StartedPart:
    """Wait until a server of one process answers; it is ended where that does not come about.

    Args:
        name: for messages.
        part: the server, just started.
        log: its output.
        record: called at once, so that it can be ended whatever happens to us.
        is_ours: asks who answers at its address, and raises `UnreachableError` while nobody does.

    Raises:
        PortTakenError: another server answers there, or has kept ours from coming up.
        StartError: it ended or did not answer in time, with its last log lines.
    """
    record(part)
    try:
        _wait(name, part, log, is_ours, timeout_s)
    except BaseException:
        end(part.processes)
        raise
    return part


def _wait(name: str, part: StartedPart, log: Path, is_ours: Callable[[], bool], timeout_s: float) -> None:
    deadline = Deadline(timeout_s)
    while not deadline.passed:
        if not part.alive:
            kind = PortTakenError if TAKEN in log.read_text("utf-8", "replace") else StartError
            raise kind(f"{name} ended at once; {log} ends with:\n{last_lines(log)}")
        try:
            ours = is_ours()
        except UnreachableError:
            deadline.pause()
            continue
        if not ours:
            raise PortTakenError(f"another server than our {name} has come up at {part.address}")
        return
    raise StartError(
        f"{name} did not answer at {part.address} within {timeout_s:.0f} s; "
        f"{log} ends with:\n{last_lines(log)}"
    )
