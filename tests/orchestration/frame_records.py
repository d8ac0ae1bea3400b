"""Counts what the frames topic has been given."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from ingest.kafka import FRAMES_TOPIC, KafkaConnection


def records(kafka: KafkaConnection) -> int:
    """How many records the frames topic has been given."""
    consumer = KafkaConsumer(**kafka.client_options())
    try:
        partitions = [TopicPartition(FRAMES_TOPIC, p) for p in consumer.partitions_for_topic(FRAMES_TOPIC)]
        return sum(consumer.end_offsets(partitions).values())
    finally:
        consumer.close()
