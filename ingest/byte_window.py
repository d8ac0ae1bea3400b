"""A bound on bytes that were handed to Kafka and not acknowledged yet: its client has none of its own."""

from __future__ import annotations

import threading


class ByteWindow:
    """Bytes in flight, at most so many.

    A record larger than the whole window passes alone. The first failure is kept and ends every wait.

    Args:
        max_bytes: size of the window.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._records = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def bytes_in_flight(self) -> int:
        """Bytes entered and not left."""
        return self._bytes

    @property
    def failure(self) -> BaseException | None:
        """What went wrong first; None while nothing did."""
        return self._failure

    def enter(self, size: int) -> None:
        """Take room for one record, waiting until there is some or a record has failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._bytes or self._fits(size))
            self._bytes += size
            self._records += 1

    def leave(self, size: int, failure: BaseException | None = None) -> None:
        """Give back the room of a record that was acknowledged, or that failed."""
        with self._changed:
            self._bytes -= size
            self._records -= 1
            self._failure = self._failure or failure
            self._changed.notify_all()

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until every record has left or one has failed.

        Returns:
            Whether that came about in time.
        """
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._failure) or not self._records, timeout_s)

    def _fits(self, size: int) -> bool:
        return self._bytes + size <= self._max_bytes
