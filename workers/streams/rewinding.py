"""Reading again from where a group has committed: after a rebalance, and after a transaction that failed.

kafka-python lets a partition that stays with a member keep its position through a rebalance. What the member
had fetched and not committed would be passed over if it were dropped, so after every rebalance all partitions
go back to their committed offsets.

It also forgets a join that outlasts one poll, where the group's leader joins again because partitions were
added: it goes on without partitions or heartbeats, for ever and without an error.

And a member that its group has given up (a process that was stopped past its session) loses its generation
between two calls, in the library's own thread, while fetched records are still handed out. Kafka takes
transactional offsets of nobody in particular from everybody, so they must never be committed that way. Until
that thread has noticed, Kafka refuses each commit of such a member, which therefore joins again by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata

OFFSETS_TIMEOUT_MS = 10_000
"""The library asks again without end otherwise, also for what only its next poll could put right."""

log = logging.getLogger(__name__)


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers that partitions came or went, and that a join must be finished once it has begun.

    Called within `consumer.poll`, where no offset can be asked.

    Args:
        consumer: that is subscribed with this listener.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._happened = False

    def happened(self) -> bool:
        """Whether there was a rebalance since the last time this was asked."""
        happened, self._happened = self._happened, False
        return happened

    def join_again(self) -> None:
        """The next poll joins the group again."""
        # The library has no public way to say so.
        self._consumer._coordinator.request_rejoin()  # noqa: SLF001

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Take note; before the first assignment there is nothing to take away. A join begins after this."""
        self.join_again()
        self._happened = self._happened or bool(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note."""
        self._happened = True
        log.info("partitions assigned: %s", sorted(partition.partition for partition in assigned))


def membership(consumer: KafkaConsumer) -> ConsumerGroupMetadata | None:
    """What the consumer is in its group now, None when it is no member: then nothing may be committed."""
    member = consumer.group_metadata()
    return member if member.generation_id >= 0 and member.member_id else None


def is_same_member(one: ConsumerGroupMetadata, other: ConsumerGroupMetadata) -> bool:
    """Whether Kafka takes both for the same member of the same generation."""
    return (one.generation_id, one.member_id) == (other.generation_id, other.member_id)


def rewind_to_committed(consumer: KafkaConsumer) -> None:
    """Go back to the committed offset of every assigned partition, to its beginning where there is none.

    Raises:
        KafkaError: the offsets could not be read.
    """
    for partition in consumer.assignment():
        offset = _committed(consumer, partition)
        if offset is None:
            consumer.seek_to_beginning(partition)
        else:
            consumer.seek(partition, offset)


def _committed(consumer: KafkaConsumer, partition: TopicPartition) -> int | None:
    try:
        offset: int | None = consumer.committed(partition, timeout_ms=OFFSETS_TIMEOUT_MS)
    except KafkaTimeoutError as error:
        raise KafkaTimeoutError(
            f"no committed offset of {partition.topic} {partition.partition} within "
            f"{OFFSETS_TIMEOUT_MS / 1000:.0f} s: Kafka is slow, or holds a transaction open that nobody ends"
        ) from error
    return offset
