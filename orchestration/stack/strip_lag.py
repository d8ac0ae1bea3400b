"""How far the frame workers are behind the strip, in seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from ingest.errors import BadRecordError
from ingest.kafka import FRAME_HEADER, FRAMES_TOPIC, KafkaConnection
from ingest.records import FrameHeader
from orchestration.errors import UnreachableError
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.reading import assign_topic

POLL_MS = 200
TIMEOUT_S = 15.0
"""For the first waiting record of every partition, of a broker that is there."""


def seconds_behind(connection: KafkaConnection, group: str, now: datetime | None = None) -> float:
    """Age of the oldest frame that the group has not committed; 0 when there is none.

    A frame is as old as its capture, or where its header does not say that, as its arrival in Kafka.

    Args:
        group: of the frame workers.
        now: the present time unless told.

    Raises:
        UnreachableError: Kafka did not answer in time.
    """
    servers = connection.bootstrap_servers
    # The client would try and log for long, and leave its sockets open.
    if not any(server.listens() for server in connection.servers):
        raise UnreachableError(f"Kafka at {servers} does not answer")
    try:
        first = _first_waiting(connection, group)
    except KafkaError as error:
        raise UnreachableError(f"Kafka at {servers}: {error}") from None
    if not first:
        return 0.0
    oldest = min(_time_of(record) for record in first)
    return max(0.0, ((now or datetime.now(UTC)) - oldest).total_seconds())


def _first_waiting(connection: KafkaConnection, group: str) -> list[ConsumerRecord]:
    """The first record of each partition that the group has not committed."""
    consumer = AnyHeaderConsumer(
        **connection.client_options(),
        group_id=group,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        isolation_level="read_committed",
        # One batch of one partition in an answer: frames are large, and only their headers are wanted.
        fetch_max_bytes=1,
        max_partition_fetch_bytes=1,
    )
    try:
        partitions = assign_topic(consumer, FRAMES_TOPIC)
        ends = _seek_to_committed(consumer, partitions)
        found: list[ConsumerRecord] = []
        deadline = time.monotonic() + TIMEOUT_S
        while waiting := [place for place in ends if consumer.position(place) < ends[place]]:
            if time.monotonic() > deadline:
                raise UnreachableError(f"{FRAMES_TOPIC} was not read within {TIMEOUT_S:.0f} s")
            consumer.pause(*(place for place in partitions if place not in waiting))
            for place, records in consumer.poll(POLL_MS, max_records=1).items():
                found += records
                del ends[place]
    finally:
        consumer.close(autocommit=False)
    return found


def _seek_to_committed(
    consumer: KafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Go to the committed offsets; the ends of the partitions."""
    firsts = consumer.beginning_offsets(partitions) if partitions else {}
    for place in partitions:
        consumer.seek(place, max(firsts[place], consumer.committed(place) or 0))
    return dict(consumer.end_offsets(partitions)) if partitions else {}


def _time_of(record: ConsumerRecord) -> datetime:
    arrived = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    try:
        header = FrameHeader.from_json(dict(record.headers).get(FRAME_HEADER) or b"")
    except BadRecordError:
        return arrived
    return header.captured_at or arrived
