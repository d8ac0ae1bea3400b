"""Ports for servers of our own, and somebody who is faster."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchestration.errors import StartError
from orchestration.stack.ports import ATTEMPTS, PortTakenError, ended_at_once, free_port, start_on_free_port
from orchestration.stack.processes import listens
from orchestration.stack.state import StartedPart


def test_a_taken_port_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert listens(f"127.0.0.1:{taken}")
        assert free_port(taken) != taken
    assert not listens(f"127.0.0.1:{taken}")
    assert free_port(taken) == taken


@pytest.mark.parametrize("failures", [0, 1, ATTEMPTS - 1, ATTEMPTS])
def test_a_port_that_somebody_took_meanwhile_is_given_up(failures: int, tmp_path: Path) -> None:
    preferred = free_port()
    tried: list[int] = []

    def start(port: int) -> StartedPart:
        tried.append(port)
        if len(tried) <= failures:
            raise PortTakenError("another server")
        return StartedPart(address=f"127.0.0.1:{port}", processes=(), directory=tmp_path)

    if failures == ATTEMPTS:
        with pytest.raises(PortTakenError):
            start_on_free_port(preferred, start)
    else:
        assert start_on_free_port(preferred, start).address == f"127.0.0.1:{tried[-1]}"
    assert tried[0] == preferred
    assert preferred not in tried[1:]
    assert len(tried) == min(failures + 1, ATTEMPTS)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("bind: Address already in use", PortTakenError), ("out of memory", StartError)],
    ids=["taken", "another reason"],
)
def test_why_a_server_ended_is_read_from_its_log(said: str, kind: type[StartError], tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"starting\n{said}\n")
    error = ended_at_once("Kafka", log)
    assert type(error) is kind
    assert said in str(error)
