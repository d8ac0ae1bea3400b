"""What kafka-python leaves undone in rebalances, against a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient, KafkaConsumer

from ingest.kafka import KafkaConnection
from workers.streams import kafka_clients
from workers.streams.kafka_clients import group_consumer
from workers.streams.rewinding import Rebalances

pytestmark = pytest.mark.stack

TIMEOUT_S = 30.0


def test_a_join_that_outlasts_a_poll_is_finished(
    kafka: KafkaConnection, new_topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_clients, "METADATA_MAX_AGE_MS", 500)
    topic = new_topic(partitions=1)
    consumer = group_consumer(kafka, f"group-{topic}", "test")
    try:
        consumer.subscribe([topic], listener=Rebalances(consumer))
        poll_until_assigned(consumer, partitions=1)
        admin = KafkaAdminClient(**kafka.client_options())
        try:
            admin.create_partitions({topic: 4})
        finally:
            admin.close()
        poll_until_assigned(consumer, partitions=4)
    finally:
        consumer.close()


def poll_until_assigned(consumer: KafkaConsumer, partitions: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while len(consumer.assignment()) != partitions:
        assert time.monotonic() < deadline, f"expected {partitions} partitions, got {consumer.assignment()}"
        # Shorter than any answer of a broker, so that every join outlasts its poll.
        consumer.poll(timeout_ms=1)
