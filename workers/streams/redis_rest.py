"""Redis is disposable: after a failure it is left alone for a while, and the work goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

REST_S = 10.0
"""How long Redis is left alone after a failure; a slow one would otherwise slow every batch."""

log = logging.getLogger(__name__)


class RedisRest:
    """Tells whether Redis may be asked now. One instance is shared by all that use the same server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")

    @property
    def resting(self) -> bool:
        """Whether the last failure is too recent to try again."""
        return self._clock() < self._until

    def failed(self, error: redis.RedisError) -> None:
        """Begin a rest."""
        self._until = self._clock() + REST_S
        log.warning("Redis is left alone for %.0f s: %s", REST_S, error)
