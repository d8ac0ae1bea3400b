"""What stands on a real broker's topics, and groups that begin at their ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import OffsetAndMetadata

from ingest.kafka import FRAMES_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from workers.streams.frame_loop import FrameLoop

WAIT_S = 60.0


def records_of(kafka: KafkaConnection, topic: str) -> list[ConsumerRecord]:
    """Every committed record of a topic, partition by partition in the order of offsets."""
    with _consumer(kafka, topic) as (consumer, partitions):
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(200).values():
                found += records
    return sorted(found, key=lambda record: (record.partition, record.offset))


def inspections_of(kafka: KafkaConnection, coil: str) -> list[bytes]:
    """What the inspections topic says of a coil, in the order of its log."""
    key = f"/{coil}/".encode()
    return [record.value for record in records_of(kafka, INSPECTIONS_TOPIC) if key in (record.key or b"")]


def begin_at_the_end(kafka: KafkaConnection, group: str, topic: str = FRAMES_TOPIC) -> None:
    """Commit the ends of a topic for a new group: records of other tests are none of its business."""
    with _consumer(kafka, topic, group_id=group) as (consumer, partitions):
        ends = consumer.end_offsets(partitions)
        consumer.commit({partition: OffsetAndMetadata(end, "", -1) for partition, end in ends.items()})


def drop_frames(kafka: KafkaConnection) -> None:
    """Delete what stands on the frames topic: tests whose groups begin at its beginning read less."""
    drop_records(kafka, FRAMES_TOPIC)


def drop_records(kafka: KafkaConnection, topic: str) -> None:
    """Delete what stands on a topic: other tests read it with clients of their own."""
    with _consumer(kafka, topic) as (consumer, partitions):
        ends = consumer.end_offsets(partitions)
    admin = KafkaAdminClient(**kafka.client_options())
    try:
        admin.delete_records(ends)
    finally:
        admin.close()


def step_until(condition: Callable[[], bool], *loops: FrameLoop) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        for loop in loops:
            loop.step()


@contextmanager
def _consumer(
    kafka: KafkaConnection, topic: str, group_id: str | None = None
) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
    consumer = KafkaConsumer(
        **kafka.client_options(),
        group_id=group_id,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        yield consumer, partitions
    finally:
        consumer.close()
