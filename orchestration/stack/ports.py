"""TCP ports of the loopback interface for servers of our own, though others look for free ones, too."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from orchestration.errors import StartError
from orchestration.stack.processes import last_lines
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


def ended_at_once(name: str, log: Path) -> StartError:
    """The error of a server that has ended: whether its port was taken, and its last log lines."""
    kind = PortTakenError if TAKEN in log.read_text("utf-8", "replace") else StartError
    return kind(f"{name} ended at once; {log} ends with:\n{last_lines(log)}")
