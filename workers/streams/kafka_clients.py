"""Kafka consumers and transactional producers, set the way the delivery guarantee needs them."""

from __future__ import annotations

import os
import uuid

from kafka import KafkaConsumer, KafkaProducer

from ingest.kafka import MAX_FRAME_BYTES, KafkaConnection

METADATA_MAX_AGE_MS = 10_000
"""Added partitions are noticed after this long; the library's five minutes would leave them unread."""
SESSION_TIMEOUT_MS = 10_000
"""A killed worker's partitions move to another after this long. Much shorter and a busy machine's pauses
would count as deaths."""
RETRY_BACKOFF_MS = 2
"""A transaction with offsets takes 16 ms with this and 120-220 ms with the library's 100 ms."""
TRANSACTION_TIMEOUT_MS = 3_000
"""A killed worker's open transaction holds readers back until it times out. Transactions here open after
inference and last milliseconds."""
PARTITION_FETCH_BYTES = 4 * 1024 * 1024
"""Prefetched bytes of a partition; a larger single frame still comes whole."""


class TransactionalProducer(KafkaProducer):  # type: ignore[misc]
    """A producer that forgets the offsets of a transaction that was aborted.

    kafka-python keeps those that Kafka refused, of a member that its group had given up, and commits them
    with its next transaction: records would be passed over that nobody has worked on.
    """

    def abort_transaction(self) -> None:
        """Abort the transaction, its offsets included.

        Raises:
            KafkaError: the producer is fenced, or Kafka cannot be reached.
        """
        super().abort_transaction()
        # The library has no public way to say so.
        self._transaction_manager._pending_txn_offset_commits.clear()  # noqa: SLF001


def group_consumer(connection: KafkaConnection, group: str, topic: str) -> KafkaConsumer:
    """A group member that commits nothing by itself and reads only what was committed.

    The caller subscribes it, with its own rebalance listener.

    Args:
        topic: only named in the client id, so that logs tell the loops apart.
    """
    return KafkaConsumer(
        **connection.client_options(),
        client_id=f"{topic}-{os.getpid()}",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=SESSION_TIMEOUT_MS // 5,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_wait_ms=100,
        reconnect_backoff_max_ms=1_000,
    )


def transactional_producer(connection: KafkaConnection, name: str) -> KafkaProducer:
    """A transactional producer whose id no other process shares; fencing is the group metadata's work."""
    producer = TransactionalProducer(
        **connection.client_options(),
        transactional_id=f"{name}-{uuid.uuid4().hex}",
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        max_request_size=MAX_FRAME_BYTES + 1024 * 1024,
        allow_auto_create_topics=False,
        linger_ms=2,
        reconnect_backoff_max_ms=1_000,
    )
    producer.init_transactions()
    return producer
