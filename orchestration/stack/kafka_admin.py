"""Asking Kafka about itself, with one clear error when it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError

from ingest.bootstrap_cause import bootstrap_cause
from ingest.kafka import KafkaConnection
from orchestration.errors import UnreachableError

TIMEOUT_MS = 15_000
"""For one answer of a broker that is there; making topics on a busy machine takes a few seconds."""


@contextmanager
def kafka_admin(connection: KafkaConnection, timeout_ms: int = TIMEOUT_MS) -> Iterator[KafkaAdminClient]:
    """A client for administration, closed after the block.

    Raises:
        UnreachableError: nobody listens, or Kafka refuses; from within the block too.
    """
    servers = connection.bootstrap_servers
    # The client would try and log for all of its timeout, and leave its sockets open.
    if not any(server.listens() for server in connection.servers):
        raise UnreachableError(f"Kafka at {servers} does not answer")
    try:
        admin = _client(connection, timeout_ms)
        try:
            yield admin
        finally:
            admin.close()
    except (KafkaError, OSError, ValueError) as error:
        raise UnreachableError(f"Kafka at {servers}: {type(error).__name__}: {error}") from None


def _client(connection: KafkaConnection, timeout_ms: int) -> KafkaAdminClient:
    with bootstrap_cause(connection) as cause:
        try:
            return KafkaAdminClient(
                **connection.client_options(), bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms
            )
        except KafkaTimeoutError as error:
            raise UnreachableError(
                f"Kafka at {connection.bootstrap_servers} does not let us in: {cause.of(error)}"
            ) from None
