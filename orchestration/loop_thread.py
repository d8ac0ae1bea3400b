"""A Kafka loop in a thread of its own, with a pulse that a health check can feel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from kafka.errors import KafkaError

CONNECT_RETRY_S = 2.0
"""Pause between attempts to reach Kafka; each attempt leaves one line in the log."""

log = logging.getLogger(__name__)


class Loop(Protocol):
    """Something to be stepped until it is stopped."""

    def step(self) -> None:
        """Do a little work; return within seconds."""


class LoopThread:
    """Builds a loop once Kafka is there, steps it, and remembers when it last did and why it died.

    Args:
        build: makes the loop; raises `KafkaError` while Kafka cannot be reached.
        stuck_after_s: a loop that has not finished a step for this long counts as dead.
    """

    def __init__(self, name: str, build: Callable[[], Loop], *, stuck_after_s: float = 60.0) -> None:
        self._name = name
        self._build = build
        self._stuck_after_s = stuck_after_s
        self._stop = threading.Event()
        self._stepped_at = time.monotonic()
        self._death: BaseException | None = None
        self.running = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise when the loop has died or does not move any more.

        Raises:
            RuntimeError: names the loop and the cause.
        """
        if self._death is not None:
            raise RuntimeError(f"{self._name} died: {self._death!r}") from self._death
        still_s = time.monotonic() - self._stepped_at
        if still_s > self._stuck_after_s:
            raise RuntimeError(f"{self._name} has not moved for {still_s:.0f} s")

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let the step in hand finish and end the thread."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            loop = self._build_when_kafka_is_there()
            self.running.set()
            while loop is not None and not self._stop.is_set():
                loop.step()
                self._stepped_at = time.monotonic()
        except BaseException as death:
            log.exception("%s died", self._name)
            self._death = death

    def _build_when_kafka_is_there(self) -> Loop | None:
        while not self._stop.is_set():
            try:
                return self._build()
            except KafkaError as error:
                log.warning("%s waits for Kafka: %s", self._name, error)
                self._stepped_at = time.monotonic()
                self._stop.wait(CONNECT_RETRY_S)
        return None
