"""Which runs of a coil the log knows: a coil id that comes again is a new run."""

from __future__ import annotations

from ingest.kafka import EVENTS_TOPIC, KafkaConnection
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.reading import read_topic


def latest_run(connection: KafkaConnection, line: str, coil: str) -> int:
    """The highest run of a coil on the events topic, 0 when the coil is new.

    Args:
        connection: to the broker; the events topic is compacted, so all of it is read.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    consumer = AnyHeaderConsumer(
        **connection.client_options(), enable_auto_commit=False, allow_auto_create_topics=False
    )
    try:
        records = read_topic(consumer, EVENTS_TOPIC)
        return max((_run(record.key, line, coil) for record in records), default=0)
    finally:
        consumer.close()


def _run(key: bytes | None, line: str, coil: str) -> int:
    parts = (key or b"").decode("utf-8", "replace").split("/")
    is_coil = len(parts) >= 3 and parts[:2] == [line, coil] and parts[2].isdecimal()
    return int(parts[2]) if is_coil else 0
