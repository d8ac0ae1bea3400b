"""Kafka consumers and transactional producers, set the way the delivery guarantee needs them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import Self, cast

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from kafka.producer.transaction_manager import TransactionalRequestResult
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.kafka import MAX_FRAME_BYTES, KafkaConnection
from workers.streams.any_header_consumer import AnyHeaderConsumer

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
TRANSACTION_WAIT_S = 10.0
"""Kafka gives a transaction up after 3 s and looks for such ones every second; by default every 10 s."""
PARTITION_FETCH_BYTES = 1024 * 1024
"""Prefetched bytes of a partition; a larger single frame still comes whole."""
FETCH_BYTES = 4 * 1024 * 1024
"""Bytes of one answer of a broker. A consumer holds two of them at most, the one that it hands out and the
next, each twice while it is decoded; the library's 50 MB would be more than the batches."""
DEAD_LETTER_BYTES = 1024 * 1024
"""What a dead letter may be larger than the record it keeps."""


class TransactionalProducer(KafkaProducer):  # type: ignore[misc]
    """A producer whose transactions hold all of their records or nothing, and end in bounded time.

    kafka-python commits a transaction although records of it were refused; waits for Kafka without end where
    a broker died in between; and keeps the offsets of an aborted transaction, of a member that its group had
    given up, and commits them with the next: records would be passed over that nobody has worked on.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._sent: list[Future] = []

    def begin_transaction(self) -> None:
        """Begin a transaction."""
        self._sent.clear()
        super().begin_transaction()

    def send(self, *arguments: object, **options: object) -> Future:
        """Send a record; the commit fails if Kafka does not take it."""
        sent: Future = super().send(*arguments, **options)
        self._sent.append(sent)
        return sent

    def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group_metadata: ConsumerGroupMetadata | str
    ) -> None:
        """Make offsets part of the transaction.

        Raises:
            KafkaError: refused, or no answer in time: it is not known then what comes of the transaction.
        """
        self._wait(self._transaction_manager.send_offsets_to_transaction(offsets, group_metadata))

    def commit_transaction(self) -> None:
        """Commit the transaction with all of its records.

        Raises:
            KafkaError: a record was not taken, the commit was refused, or there was no answer in time: it is
                not known then what comes of the transaction.
        """
        self.flush(TRANSACTION_WAIT_S)
        for sent in self._sent:
            if sent.failed():
                raise sent.exception
        self._wait(self._transaction_manager.begin_commit())

    def abort_transaction(self) -> None:
        """Abort the transaction, its offsets included.

        Raises:
            KafkaError: the producer is fenced, or Kafka does not answer in time.
        """
        self._wait(self._transaction_manager.begin_abort())
        # The library has no public way to say so.
        self._transaction_manager._pending_txn_offset_commits.clear()  # noqa: SLF001

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        """Close, and give up what is not committed.

        The library would go on sending it where Kafka was away for longer than the time-out: into a new
        transaction that nobody ends, and that keeps the offsets of the last one from being read.
        """
        # A producer that could not begin has none.
        if sender := getattr(self, "_sender", None):
            sender.force_close()
        super().close(timeout, null_logger)

    def _wait(self, result: TransactionalRequestResult) -> None:
        self._sender.wakeup()
        if not result.wait(TRANSACTION_WAIT_S * 1000):
            raise KafkaTimeoutError(f"no answer to a transaction within {TRANSACTION_WAIT_S:.0f} s")


class GroupConsumer(AnyHeaderConsumer):
    """A group member that takes the outcome of a join that ended between two polls.

    kafka-python throws such a join away and begins another, for which every other member joins again, too:
    two busy members, or slow ones, go on like that without end.
    """

    def poll(self, *arguments: object, **options: object) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Poll as the library does."""
        # The library has no public way to say so.
        coordinator = self._coordinator
        join: Future | None = coordinator._join_task  # noqa: SLF001
        if join is not None and join.succeeded():
            coordinator._join_task = _EndedJoin(join.value)  # noqa: SLF001
        return cast("dict[TopicPartition, list[ConsumerRecord]]", super().poll(*arguments, **options))


class _EndedJoin(Future):  # type: ignore[misc]
    """Is not done before somebody waits for it, so that the library does not throw it away."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self._outcome = outcome

    def add_callback(self, call: Callable[..., None], *arguments: object, **options: object) -> Self:
        """Add it, and be done."""
        super().add_callback(call, *arguments, **options)
        if not self.is_done:
            self.success(self._outcome)
        return self


def group_consumer(connection: KafkaConnection, group: str, topic: str) -> KafkaConsumer:
    """A group member that commits nothing by itself and reads only what was committed.

    The caller subscribes it, with its own rebalance listener.

    Args:
        topic: only named in the client id, so that logs tell the loops apart.
    """
    return GroupConsumer(
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
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_wait_ms=100,
        reconnect_backoff_max_ms=1_000,
    )


def transactional_producer(connection: KafkaConnection, name: str) -> KafkaProducer:
    """A transactional producer whose id no other process shares; fencing is the group metadata's work."""
    return fencing_producer(connection, f"{name}-{uuid.uuid4().hex}")


def fencing_producer(
    connection: KafkaConnection,
    transactional_id: str,
    *,
    transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS,
) -> KafkaProducer:
    """A transactional producer that ends every other one of its id: theirs cannot commit any more.

    Args:
        transaction_timeout_ms: after which Kafka gives up a transaction of a producer that was killed.
    """
    producer = TransactionalProducer(
        **connection.client_options(),
        transactional_id=transactional_id,
        transaction_timeout_ms=transaction_timeout_ms,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        max_request_size=MAX_FRAME_BYTES + 1024 * 1024 + DEAD_LETTER_BYTES,
        allow_auto_create_topics=False,
        linger_ms=2,
        reconnect_backoff_max_ms=1_000,
    )
    try:
        producer.init_transactions()
    except BaseException:
        producer.close(0)
        raise
    return producer
