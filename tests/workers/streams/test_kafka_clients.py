"""What kafka-python leaves undone in transactions and in groups, against a real broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, TopicAuthorizationFailedError
from kafka.future import Future
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.kafka import KafkaConnection
from workers.streams.kafka_clients import group_consumer, transactional_producer

pytestmark = pytest.mark.stack


def test_offsets_of_an_aborted_transaction_are_not_committed_with_the_next(
    kafka: KafkaConnection, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=2)
    group = f"group-{topic}"
    refused, taken = TopicPartition(topic, 0), TopicPartition(topic, 1)
    producer = transactional_producer(kafka, "test")
    try:
        producer.begin_transaction()
        producer.send(topic, value=b"never there", partition=0)
        with pytest.raises(CommitFailedError):
            producer.send_offsets_to_transaction(
                {refused: OffsetAndMetadata(7, "", -1)}, ConsumerGroupMetadata(group, 1, "given-up", None)
            )
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send(topic, value=b"there", partition=1)
        # No member of the group, so that any offset would be taken.
        producer.send_offsets_to_transaction({taken: OffsetAndMetadata(1, "", -1)}, group)
        producer.commit_transaction()
    finally:
        producer.close()
    consumer = KafkaConsumer(**kafka.client_options(), group_id=group, enable_auto_commit=False)
    try:
        assert (consumer.committed(refused), consumer.committed(taken)) == (None, 1)
    finally:
        consumer.close()


def test_a_transaction_with_a_failed_record_is_not_committed(
    kafka: KafkaConnection, new_topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else offsets would pass frames that have no result: the library only tells the record's future."""
    place = TopicPartition(new_topic(partitions=1), 0)
    group = f"group-{place.topic}"
    producer = transactional_producer(kafka, "test")
    try:
        producer.begin_transaction()
        with monkeypatch.context() as denied:
            failed = Future().failure(TopicAuthorizationFailedError())
            denied.setattr(KafkaProducer, "send", lambda *_, **__: failed)
            producer.send(place.topic, value=b"denied")
        producer.send_offsets_to_transaction({place: OffsetAndMetadata(1, "", -1)}, group)
        with pytest.raises(TopicAuthorizationFailedError):
            producer.commit_transaction()
        producer.abort_transaction()
    finally:
        producer.close()
    consumer = KafkaConsumer(**kafka.client_options(), group_id=group, enable_auto_commit=False)
    try:
        assert consumer.committed(place) is None
    finally:
        consumer.close()


BUSY_S = 0.05
MOST_GENERATIONS = 6
"""Two for each that joins, as topics become known, and one to spare."""


def test_joins_that_end_between_two_polls_are_not_begun_again(
    kafka: KafkaConnection, new_topic: Callable[..., str]
) -> None:
    """Both members wait for Kafka a fiftieth of their time, as busy workers do."""
    topic = new_topic(partitions=4)
    members = [group_consumer(kafka, f"group-{topic}", "test") for _ in range(2)]
    busy = threading.Event()
    try:
        for member in members:
            member.subscribe([topic])
        deadline = time.monotonic() + 30
        while sorted(len(member.assignment()) for member in members) != [2, 2]:
            assert time.monotonic() < deadline, [member.assignment() for member in members]
            for member in members:
                member.poll(1)
                busy.wait(BUSY_S)
        generation = members[0].group_metadata().generation_id
        assert generation == members[1].group_metadata().generation_id <= MOST_GENERATIONS
    finally:
        for member in members:
            member.close()
