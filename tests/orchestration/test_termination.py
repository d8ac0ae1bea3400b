"""SIGTERM where Python's main thread is somebody else's: real processes, real signals."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.timeout(60)

WAIT_S = 20
# Two threads write: a line goes out in one call, where print could let the other's line come between.
WAITING = """
import os
import threading
from orchestration.termination import end_on_sigterm

{definitions}
starter = threading.Thread(target=lambda: end_on_sigterm(tidy))
starter.start()
starter.join()
os.write(1, b"ready\\n")
while True:
    threading.Event().wait(0.05)
"""
TIDY = 'def tidy():\n    os.write(1, b"tidied\\n")'
SLOW = """
import sys
def tidy():
    os.write(1, b"tidying\\n")
    sys.stdin.readline()
    os.write(1, b"tidied\\n")
"""
FAILING = "def tidy():\n    raise OSError('no broker')"
BESIDE_A_HANDLER = (
    "import signal\nsignal.signal(signal.SIGTERM, lambda *_: os.write(1, b'handler too\\n'))\n" + SLOW
)


def started(definitions: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING.format(definitions=definitions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.communicate()


def test_a_process_tidies_up_and_ends(processes: list[subprocess.Popen[str]]) -> None:
    processes.append(
        process := started("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n" + TIDY)
    )
    process.terminate()
    output, _ = process.communicate(timeout=WAIT_S)
    assert (output, process.returncode) == ("tidied\n", 128 + signal.SIGTERM)


def test_a_second_signal_does_not_cut_the_tidying_off(processes: list[subprocess.Popen[str]]) -> None:
    processes.append(process := started(BESIDE_A_HANDLER))
    assert process.stdout is not None
    process.terminate()
    assert {process.stdout.readline(), process.stdout.readline()} == {"tidying\n", "handler too\n"}
    process.terminate()
    assert process.stdout.readline() == "handler too\n"
    output, _ = process.communicate("go on\n", timeout=WAIT_S)
    assert (output, process.returncode) == ("tidied\n", 128 + signal.SIGTERM)


def test_what_cannot_be_tidied_up_ends_as_well(processes: list[subprocess.Popen[str]]) -> None:
    processes.append(
        process := started("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n" + FAILING)
    )
    process.terminate()
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert "OSError: no broker" in errors
