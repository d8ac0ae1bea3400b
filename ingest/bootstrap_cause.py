"""Why a Kafka client could not begin.

kafka-python tells a refused password, an unknown certificate and a silent broker as one timeout, and says
what went wrong only in its log: so we listen there. Kafka says that a password is wrong and hangs up,
and where both arrive together the library sees only the latter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaTimeoutError, RequestTimedOutError, SaslAuthenticationFailedError

from ingest.kafka import KafkaConnection
from ingest.masking import without_password

_TIMED_OUT = (KafkaTimeoutError, RequestTimedOutError)
_HUNG_UP = "socket disconnected"

_LOGGER = logging.getLogger("kafka.net.manager")


class BootstrapCause(logging.Filter):
    """Keeps the last failure of a client that connects, and lets pass what would have passed without it."""

    def __init__(self, connection: KafkaConnection, passed_from: int) -> None:
        super().__init__()
        self._user = connection.sasl_username
        self._passed_from = passed_from
        self._last: BaseException | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at a record of the client's log."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        for value in arguments:
            # Time-outs are logged last and say nothing; after a refusal nothing else matters.
            if isinstance(value, BaseException) and not isinstance(value, _TIMED_OUT):
                refused = isinstance(self._last, SaslAuthenticationFailedError)
                self._last = self._last if refused else value
        return record.levelno >= self._passed_from

    def of(self, error: BaseException) -> str:
        """What was wrong, in one line: the failure that was kept, else the error itself."""
        cause = self._last or error
        line = without_password(" ".join(str(cause).split()) or type(cause).__name__)
        if self._user is not None and line.endswith(_HUNG_UP):
            line += f", as it does when authentication failed: check the password of {self._user}"
        return line


@contextmanager
def bootstrap_cause(connection: KafkaConnection) -> Iterator[BootstrapCause]:
    """Listen while a client is made in the block. Two at a time may hear each other's failures."""
    level = _LOGGER.level
    cause = BootstrapCause(connection, _LOGGER.getEffectiveLevel())
    _LOGGER.addFilter(cause)
    _LOGGER.setLevel(min(logging.WARNING, _LOGGER.getEffectiveLevel()))
    try:
        yield cause
    finally:
        _LOGGER.removeFilter(cause)
        _LOGGER.setLevel(level)
