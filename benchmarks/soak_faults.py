"""What the soak does to a line: each fault is done, lasts as long as it must, and is undone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from orchestration.stack.processes import end
from tests.faults.line import SESSION_S, FaultLine, kill
from tests.faults.store import store_gone

SHORT_S = 5.0
"""Long enough that every batch and every look at Redis meets the fault."""
PAST_SESSION_S = SESSION_S + 2.0
SLOW_S = 2.0

Fault = Callable[[FaultLine, random.Random], None]


def _frame_worker(line: FaultLine, random_: random.Random) -> None:
    kill(random_.choice(line.replicas("FrameWorker")))


def _inspector(line: FaultLine, random_: random.Random) -> None:
    kill(random_.choice(line.replicas("Inspector")))


def _coil_worker(line: FaultLine, _random: random.Random) -> None:
    kill(line.replicas("CoilWorker")[0])


def _frame_worker_asleep(line: FaultLine, random_: random.Random) -> None:
    sleeper = random_.choice(line.replicas("FrameWorker"))
    sleeper.suspend()
    try:
        _last(PAST_SESSION_S)
    finally:
        sleeper.resume()


def _broker(line: FaultLine, _random: random.Random) -> None:
    kill(line.broker())
    line.restart_broker()


def _broker_asleep(line: FaultLine, _random: random.Random) -> None:
    broker = line.broker()
    broker.suspend()
    try:
        _last(PAST_SESSION_S)
    finally:
        broker.resume()


def _redis(line: FaultLine, _random: random.Random) -> None:
    end(line.redis_part.processes, at_once=True)
    _last(SHORT_S)
    line.restart_redis()


def _redis_full(line: FaultLine, _random: random.Random) -> None:
    with line.full_redis():
        _last(SHORT_S)


def _redis_slow(line: FaultLine, _random: random.Random) -> None:
    line.redis_proxy.delay_s = SLOW_S
    try:
        _last(SHORT_S)
    finally:
        line.redis_proxy.delay_s = 0.0


def _store(line: FaultLine, _random: random.Random) -> None:
    with store_gone(line.store()):
        _last(SHORT_S)


def _last(seconds: float) -> None:
    """The length of a fault."""
    threading.Event().wait(seconds)


FAULTS: dict[str, Fault] = {
    "kill -9 frame worker": _frame_worker,
    "kill -9 inspector": _inspector,
    "kill -9 coil worker": _coil_worker,
    "frame worker stopped past its session": _frame_worker_asleep,
    "kill -9 broker": _broker,
    "broker stopped": _broker_asleep,
    "Redis killed": _redis,
    "Redis full": _redis_full,
    "Redis slow": _redis_slow,
    "report store gone": _store,
}
"""Every fault by its name."""
