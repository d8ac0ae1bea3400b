from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from pydantic import ValidationError

from ingest.kafka import (
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    FRAMES_TOPIC,
    INSPECTIONS_TOPIC,
    MAX_FRAME_BYTES,
    KafkaConnection,
)
from orchestration.errors import UnreachableError
from orchestration.settings import KafkaSettings
from orchestration.stack.topics import create_topics, lag, topic_options

TOPICS = {FRAMES_TOPIC, INSPECTIONS_TOPIC, EVENTS_TOPIC, DEAD_LETTERS_TOPIC}


def test_retention_and_partitions_are_those_of_the_settings() -> None:
    settings = KafkaSettings(
        frames_partitions=4, frames_retention_hours=2, frames_retention_bytes=4_000_000, replication=3
    )
    options = topic_options(settings)
    assert set(options) == TOPICS
    assert {topic["replication_factor"] for topic in options.values()} == {3}
    assert options[FRAMES_TOPIC]["num_partitions"] == 4
    assert options[FRAMES_TOPIC]["configs"]["retention.ms"] == "7200000"
    assert options[FRAMES_TOPIC]["configs"]["retention.bytes"] == "1000000"
    assert options[INSPECTIONS_TOPIC]["configs"]["retention.ms"] == str(30 * 24 * 3_600_000)
    assert options[EVENTS_TOPIC]["configs"]["cleanup.policy"] == "compact"
    assert {topic["configs"]["compression.type"] for topic in options.values()} == {"uncompressed"}
    assert "retention.bytes" not in topic_options(KafkaSettings())[FRAMES_TOPIC]["configs"]


@given(hours=st.floats(0.1, 87_600), days=st.floats(0.1, 3_650))
def test_whatever_retention_is_taken_keeps_records_for_a_while(hours: float, days: float) -> None:
    options = topic_options(KafkaSettings(frames_retention_hours=hours, inspections_retention_days=days))
    for topic in (FRAMES_TOPIC, INSPECTIONS_TOPIC, DEAD_LETTERS_TOPIC):
        assert 300_000 < int(options[topic]["configs"]["retention.ms"]) < 2**63


@pytest.mark.parametrize("name", ["frames_retention_hours", "inspections_retention_days"])
@pytest.mark.parametrize("value", [1e308, float("inf"), float("nan"), 1e-10, 0.0, -1.0, 1e6])
def test_a_retention_that_no_topic_can_have_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        KafkaSettings(**{name: value})


@pytest.mark.stack
def test_topics_are_made_once(kafka: KafkaConnection) -> None:
    create_topics(kafka, KafkaSettings(frames_partitions=3))
    admin = KafkaAdminClient(**kafka.client_options())
    try:
        made = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(sorted(TOPICS))}
    finally:
        admin.close()
    assert made == {
        name: options["num_partitions"] for name, options in topic_options(KafkaSettings()).items()
    }


@pytest.mark.stack
def test_a_frame_of_full_size_fits(kafka: KafkaConnection) -> None:
    producer = KafkaProducer(**kafka.client_options(), max_request_size=MAX_FRAME_BYTES + 1024 * 1024)
    try:
        record = producer.send(DEAD_LETTERS_TOPIC, bytes(MAX_FRAME_BYTES)).get(timeout=30)
    finally:
        producer.close()
    assert record.topic == DEAD_LETTERS_TOPIC


@pytest.mark.stack
def test_lag_is_what_is_not_committed(kafka: KafkaConnection, new_topic: object) -> None:
    assert callable(new_topic)
    topic = new_topic(partitions=2)
    producer = KafkaProducer(**kafka.client_options())
    for partition in (0, 0, 0, 1, 1):
        producer.send(topic, b"record", partition=partition)
    producer.flush()
    producer.close()
    groups = {f"{topic}-half": topic, f"{topic}-new": topic}
    assert lag(kafka, groups) == dict.fromkeys(groups, 5)
    consumer = KafkaConsumer(**kafka.client_options(), group_id=f"{topic}-half", enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(2, "", -1)})
    consumer.close()
    assert lag(kafka, groups) == {f"{topic}-half": 3, f"{topic}-new": 5}


def test_no_broker_is_one_clear_error() -> None:
    with pytest.raises(UnreachableError, match=r"Kafka at 127\.0\.0\.1:1 does"):
        create_topics(KafkaConnection(bootstrap_servers="127.0.0.1:1"), KafkaSettings())
