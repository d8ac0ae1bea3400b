"""Ports for servers of our own, and somebody who is faster."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ingest.addresses import Address
from orchestration.errors import StartError, UnreachableError
from orchestration.stack import ports
from orchestration.stack.ports import (
    ATTEMPTS,
    PortTakenError,
    come_up,
    free_port,
    free_ports,
    start_on_free_port,
)
from orchestration.stack.processes import start_detached
from orchestration.stack.state import StartedPart

WAIT_S = 20.0


def test_a_taken_port_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert Address("127.0.0.1", taken).listens()
        assert free_port(taken) != taken
    assert not Address("127.0.0.1", taken).listens()
    assert free_port(taken) == taken


def test_the_parts_of_one_server_get_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([7001, 7001, 7000, 7002, 7001, 7003])
    monkeypatch.setattr(ports, "free_port", lambda: next(found))
    assert sorted(free_ports(3, other_than=7000)) == [7001, 7002, 7003]


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


def silent() -> bool:
    raise UnreachableError("nobody is there")


def part_of(script: str, folder: Path) -> StartedPart:
    """A server of one shell script, whose output is in `log`."""
    process = start_detached(["/bin/sh", "-c", script], folder / "log")
    return StartedPart(address="127.0.0.1:1", processes=(process,), directory=folder)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("bind: Address already in use", PortTakenError), ("out of memory", StartError)],
    ids=["taken", "another reason"],
)
def test_why_a_server_ended_is_read_from_its_log(said: str, kind: type[StartError], tmp_path: Path) -> None:
    part = part_of(f"echo {said}", tmp_path)
    with pytest.raises(StartError, match=f"(?s)Kafka ended at once; .*{said}") as caught:
        come_up("Kafka", part, tmp_path / "log", record=lambda _: None, is_ours=silent, timeout_s=WAIT_S)
    assert type(caught.value) is kind


def test_a_server_that_is_not_ours_is_not_taken_for_it(tmp_path: Path) -> None:
    recorded: list[StartedPart] = []
    part = part_of("exec sleep 100", tmp_path)
    with pytest.raises(PortTakenError, match=r"another server than our Kafka .* 127\.0\.0\.1:1"):
        come_up(
            "Kafka", part, tmp_path / "log", record=recorded.append, is_ours=lambda: False, timeout_s=WAIT_S
        )
    assert recorded == [part]
    assert not part.alive


def test_a_server_that_never_answers_is_ended(tmp_path: Path) -> None:
    part = part_of("echo thinking; exec sleep 100", tmp_path)
    with pytest.raises(StartError, match=r"(?s)Kafka did not answer at 127\.0\.0\.1:1 within 0 s"):
        come_up("Kafka", part, tmp_path / "log", record=lambda _: None, is_ours=silent, timeout_s=0.2)
    assert not part.alive
