"""A Kafka loop in a thread of its own, with a pulse that a health check can feel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from kafka.errors import KafkaError

from orchestration.backoff import Backoff
from workers.streams.memory import hand_back_memory

PAUSE_S = 1.0
"""Before another attempt to reach Kafka, and before a loop that failed begins anew."""
LONGEST_PAUSE_S = 10.0
"""A broker or a store that has been away for long is still found again within this."""
SETTLED_S = 60.0
"""A loop that has lived this long begins anew with the first pause again."""
STUCK_AFTER_S = 60.0
"""A step takes well under a second, a broker's restart some 20 s."""
STOP_TIMEOUT_S = 8.0
"""A stop ends before Serve's own patience does (10 s)."""

log = logging.getLogger(__name__)


class Loop(Protocol):
    """Something to be stepped until it is stopped."""

    def step(self) -> None:
        """Do a little work; return within seconds, or beat the thread's pulse on the way."""

    def close(self) -> None:
        """Let go of Kafka, so that others take over at once."""


class Pulse:
    """How long ago a loop moved: beaten by its thread after each step, and by what takes long within one."""

    def __init__(self) -> None:
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        """The loop moves."""
        self._beaten_at = time.monotonic()

    @property
    def still_s(self) -> float:
        """Since the last beat."""
        return time.monotonic() - self._beaten_at


class LoopThread:
    """Builds a loop once Kafka is there, steps it, and begins anew after a passing failure.

    Passing are Kafka's errors and our own that say they are `retriable`; anything else ends the thread, and
    `check` says so.

    Args:
        build: makes the loop; raises `KafkaError` while Kafka cannot be reached.
        pulse: beaten within long steps; None where there are none.
        stuck_after_s: a loop that has not moved for this long counts as dead.
        pause_s: before the first other attempt; pauses grow while the loop does not last.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[], Loop],
        *,
        pulse: Pulse | None = None,
        stuck_after_s: float = STUCK_AFTER_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._name = name
        self._build = build
        self._stuck_after_s = stuck_after_s
        self._stop = threading.Event()
        self._backoff = Backoff(pause_s, LONGEST_PAUSE_S, wait=self._stop.wait)
        self._pulse = pulse or Pulse()
        self._death: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise when the loop has died or does not move any more.

        Raises:
            RuntimeError: names the loop and the cause.
        """
        if self._death is not None:
            raise RuntimeError(f"{self._name} died: {self._death!r}") from self._death
        still_s = self._pulse.still_s
        if still_s > self._stuck_after_s:
            raise RuntimeError(f"{self._name} has not moved for {still_s:.0f} s")

    def stop(self) -> None:
        """Let the step in hand finish, leave the group and end the thread."""
        self._stop.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._run_once()
                # Closed clients hold themselves, and their threads' heaps megabytes of frames.
                hand_back_memory()
        except Exception as death:
            log.exception("%s died", self._name)
            self._death = death

    def _run_once(self) -> None:
        """One life of a loop, from its building to a stop or a failure."""
        began_at = time.monotonic()
        try:
            loop = self._build()
            try:
                while not self._stop.is_set():
                    loop.step()
                    self._pulse.beat()
            finally:
                loop.close()
        except Exception as error:
            if not isinstance(error, KafkaError) and not getattr(error, "retriable", False):
                raise
            log.warning("%s begins anew: %s", self._name, error)
            self._pulse.beat()
            if time.monotonic() - began_at > SETTLED_S:
                self._backoff.progress()
            self._backoff.pause()
