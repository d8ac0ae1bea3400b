"""Pauses between attempts: they double, with jitter so that workers do not call in step, up to a bound."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

JITTER = (0.5, 1.5)


class Backoff:
    """Pauses that grow from the first to the longest, until patience ends.

    Args:
        patience_s: how long there may be no progress; infinite to try for ever.
        wait: waits that many seconds; true where there is a reason to stop (`threading.Event.wait`).
    """

    def __init__(
        self,
        first_s: float,
        longest_s: float,
        patience_s: float = float("inf"),
        *,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._patience_s = patience_s
        self._wait = wait
        self._clock = clock
        self.progress()

    def progress(self) -> None:
        """Begin anew with the first pause and all patience."""
        self._pause_s = self._first_s
        self._give_up_at = self._clock() + self._patience_s

    def pause(self) -> bool:
        """Wait until the next attempt; False when there shall be none, because patience or the wait ended."""
        if self._clock() >= self._give_up_at or self._wait(self._pause_s * random.uniform(*JITTER)):
            return False
        self._pause_s = min(2 * self._pause_s, self._longest_s)
        return True
