"""Whether anybody listens where Kafka should be.

kafka-python tells a refused connection, a wrong name and a silent host as one timeout, and leaves its sockets
open behind it; so we knock first.
"""

from __future__ import annotations

import time

from ingest.errors import PublishError
from ingest.kafka import KafkaConnection

RETRY_S = 0.1


def wait_for_broker(connection: KafkaConnection, timeout_s: float) -> None:
    """Wait until one of the bootstrap servers accepts a connection.

    Raises:
        PublishError: none did in time; names the servers and the last cause.
    """
    servers = connection.servers
    ends_at = time.monotonic() + timeout_s
    while True:
        for server in servers:
            cause = server.refusal(max(RETRY_S, (ends_at - time.monotonic()) / len(servers)))
            if cause is None:
                return
        if time.monotonic() + RETRY_S > ends_at:
            where = connection.bootstrap_servers
            raise PublishError(f"no Kafka broker at {where} within {timeout_s:g} s: {cause}")
        time.sleep(RETRY_S)
