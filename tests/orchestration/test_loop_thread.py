from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest
from kafka.errors import KafkaTimeoutError

from orchestration import loop_thread
from orchestration.errors import UnreachableError
from orchestration.loop_thread import LoopThread

WAIT_S = 20.0


class ScriptedLoop:
    """Steps until its script says otherwise; tells what happened to it."""

    def __init__(self, script: Callable[[], None]) -> None:
        self._script = script
        self.stepped = threading.Event()
        self.closed = threading.Event()

    def step(self) -> None:
        self._script()
        self.stepped.set()

    def close(self) -> None:
        self.closed.set()


def nothing() -> None:
    threading.Event().wait(0.001)


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_stopped_loop_is_closed() -> None:
    loop = ScriptedLoop(nothing)
    thread = LoopThread("worker", lambda: loop)
    assert loop.stepped.wait(WAIT_S)
    thread.check()
    thread.stop()
    assert loop.closed.is_set()
    thread.check()


@pytest.mark.parametrize(
    "error", [KafkaTimeoutError("no broker"), UnreachableError("no store")], ids=["kafka", "retriable"]
)
def test_a_passing_failure_closes_the_loop_and_begins_another(error: Exception) -> None:
    broken, whole = ScriptedLoop(failing(error)), ScriptedLoop(nothing)
    loops = iter([broken, whole])
    thread = LoopThread("worker", lambda: next(loops), pause_s=0.01)
    assert whole.stepped.wait(WAIT_S)
    assert broken.closed.is_set()
    thread.check()
    thread.stop()


def test_a_loop_that_failed_leaves_no_memory_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest keeps what is logged, and an error knows where it was raised.
    monkeypatch.setattr(loop_thread.log, "disabled", True)
    left: list[weakref.ref[ScriptedLoop]] = []
    whole = ScriptedLoop(nothing)

    def build() -> ScriptedLoop:
        if left:
            return whole
        loop = ScriptedLoop(failing(KafkaTimeoutError("no broker")))
        # As clients of Kafka do, it holds itself.
        loop.itself = loop  # type: ignore[attr-defined]
        left.append(weakref.ref(loop))
        return loop

    gc.disable()
    try:
        thread = LoopThread("worker", build, pause_s=0.01)
        assert whole.stepped.wait(WAIT_S)
        assert left[0]() is None
        thread.stop()
    finally:
        gc.enable()


def test_kafka_that_is_not_there_yet_is_waited_for() -> None:
    loop = ScriptedLoop(nothing)
    attempts = iter([KafkaTimeoutError("not yet"), KafkaTimeoutError("not yet"), None])

    def build() -> ScriptedLoop:
        error = next(attempts)
        if error is not None:
            raise error
        return loop

    thread = LoopThread("worker", build, pause_s=0.01)
    assert loop.stepped.wait(WAIT_S)
    thread.stop()


def test_a_defect_ends_the_thread_and_the_health_check_names_it() -> None:
    loop = ScriptedLoop(failing(ZeroDivisionError("a defect of ours")))
    thread = LoopThread("coil worker", lambda: loop)
    assert loop.closed.wait(WAIT_S)
    thread._thread.join(WAIT_S)
    with pytest.raises(RuntimeError, match=r"coil worker died: ZeroDivisionError\('a defect of ours'\)"):
        thread.check()


def test_a_loop_that_stands_still_fails_the_health_check() -> None:
    release = threading.Event()
    loop = ScriptedLoop(lambda: release.wait(WAIT_S) and None)
    thread = LoopThread("worker", lambda: loop, stuck_after_s=0.0)
    with pytest.raises(RuntimeError, match="worker has not moved for"):
        thread.check()
    release.set()
    thread.stop()
    assert loop.closed.is_set()
