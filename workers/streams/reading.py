"""Reading a stretch of Kafka's log to its end, by a consumer of no group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError

POLL_MS = 200
POLL_RECORDS = 2_000
POSITION_TIMEOUT_MS = 10_000
PATIENCE_S = 30.0
"""Kafka is away when nothing of what it holds has come for so long; whoever begins anew asks again."""


def assign_topic(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Give a consumer every partition of a topic; none where there is no such topic."""
    numbers = sorted(consumer.partitions_for_topic(topic) or ())
    partitions = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(partitions)
    return partitions


def read_topic(consumer: KafkaConsumer, topic: str) -> Iterator[ConsumerRecord]:
    """Everything that a topic holds up to now; errors as of `read_to`."""
    partitions = assign_topic(consumer, topic)
    if partitions:
        consumer.seek_to_beginning(*partitions)
        yield from read_to(consumer, consumer.end_offsets(partitions))


def read_to(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int]) -> Iterator[ConsumerRecord]:
    """Everything from the consumer's positions to these offsets, and what is fetched along with it.

    Raises:
        KafkaTimeoutError: nothing came for `PATIENCE_S`.
    """
    heard_at = time.monotonic()
    # A reading that failed has left some of them paused.
    consumer.resume(*ends)
    while left := [p for p, end in ends.items() if _position(consumer, p) < end]:
        # What lies behind an end is not asked for.
        consumer.pause(*(ends.keys() - set(left)))
        fetched = consumer.poll(POLL_MS, max_records=POLL_RECORDS)
        if not fetched and time.monotonic() - heard_at > PATIENCE_S:
            raise KafkaTimeoutError(f"no records of {sorted(left)} for {PATIENCE_S:.0f} s")
        for records in fetched.values():
            yield from records
            # What the caller does with them is no silence of Kafka.
            heard_at = time.monotonic()
    consumer.resume(*ends)


def _position(consumer: KafkaConsumer, partition: TopicPartition) -> int:
    return consumer.position(partition, POSITION_TIMEOUT_MS) or 0
