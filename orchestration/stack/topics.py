"""The topics: made with the retention and record sizes that the path of a frame needs, and their lag."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import CoordinatorNotAvailableError, TopicAlreadyExistsError

from ingest.kafka import (
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    FRAMES_TOPIC,
    INSPECTIONS_TOPIC,
    MAX_FRAME_BYTES,
    KafkaConnection,
)
from orchestration.settings import KafkaSettings
from orchestration.stack.kafka_admin import TIMEOUT_MS, kafka_admin
from workers.streams.kafka_clients import DEAD_LETTER_BYTES

MAX_RECORD_BYTES = MAX_FRAME_BYTES + 1024 * 1024
"""A frame with its headers. Brokers measure the whole batch, and one frame of full size is a batch."""

INSPECTION_BYTES = 4 * 1024 * 1024
"""With the largest outlines that the settings allow, 200 findings with their thumbnails are 2.3 MB."""

SEGMENT_BYTES = 128 * 1024 * 1024
"""Retention drops whole segments, so this is its grain; the default is 1 GiB a partition."""

COMPRESSION = {"compression.type": "uncompressed"}
"""Whatever a producer sends: brokers measure batches as they keep them, so that no record is larger than its
bound in a reader's memory, and no reader needs a codec."""

HOUR_MS = 3_600_000


def topic_options(settings: KafkaSettings) -> dict[str, dict[str, Any]]:
    """Partitions, replication and configuration of each topic, by its name."""
    kept_ms = int(settings.inspections_retention_days * 24 * HOUR_MS)
    frames = {
        "retention.ms": int(settings.frames_retention_hours * HOUR_MS),
        "max.message.bytes": MAX_RECORD_BYTES,
        "segment.bytes": SEGMENT_BYTES,
    }
    if settings.frames_retention_bytes is not None:
        # Kafka counts by partition.
        frames["retention.bytes"] = max(1, settings.frames_retention_bytes // settings.frames_partitions)
    inspections = {"retention.ms": kept_ms, "max.message.bytes": INSPECTION_BYTES}
    return {
        FRAMES_TOPIC: _options(settings, settings.frames_partitions, frames),
        INSPECTIONS_TOPIC: _options(settings, settings.inspections_partitions, inspections),
        EVENTS_TOPIC: _options(settings, settings.inspections_partitions, {"cleanup.policy": "compact"}),
        DEAD_LETTERS_TOPIC: _options(
            settings, 1, {"retention.ms": kept_ms, "max.message.bytes": MAX_RECORD_BYTES + DEAD_LETTER_BYTES}
        ),
    }


def create_topics(connection: KafkaConnection, settings: KafkaSettings) -> None:
    """Make the topics that are not there yet; those that are there are left as they are.

    Raises:
        UnreachableError: Kafka does not answer or refuses.
    """
    wanted = topic_options(settings)
    with kafka_admin(connection) as admin:
        missing = {name: options for name, options in wanted.items() if name not in set(admin.list_topics())}
        if missing:
            # Another process may make them between our question and our request.
            with suppress(TopicAlreadyExistsError):
                admin.create_topics(missing, timeout_ms=TIMEOUT_MS)
            admin.wait_for_topics(list(missing), timeout_ms=TIMEOUT_MS)


def lag(connection: KafkaConnection, groups: Mapping[str, str]) -> dict[str, int]:
    """Records that each consumer group has not committed yet.

    Args:
        groups: group to the topic it reads.

    Raises:
        UnreachableError: Kafka does not answer or refuses.
    """
    with kafka_admin(connection) as admin:
        topics = admin.describe_topics(sorted(set(groups.values())))
        partitions = {
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in topics
            for partition in topic["partitions"]
        }
        first = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        last = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        committed = _committed(admin, list(groups))
    return {
        group: sum(
            max(0, last[place].offset - _position(committed.get(group, {}).get(place), first[place].offset))
            for place in partitions
            if place.topic == topic
        )
        for group, topic in groups.items()
    }


def _committed(admin: KafkaAdminClient, groups: list[str]) -> dict[str, dict[TopicPartition, Any]]:
    try:
        offsets: dict[str, dict[TopicPartition, Any]] = admin.list_group_offsets(groups)
    except CoordinatorNotAvailableError:
        # The offsets topic is made when the first group asks for it: nobody has committed yet.
        return {}
    return offsets


def _position(committed: Any, first: int) -> int:  # noqa: ANN401 (kafka-python has no type hints)
    return first if committed is None or committed.offset < 0 else max(first, committed.offset)


def _options(settings: KafkaSettings, partitions: int, configs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "num_partitions": partitions,
        "replication_factor": settings.replication,
        "configs": {name: str(value) for name, value in (COMPRESSION | dict(configs)).items()},
    }
