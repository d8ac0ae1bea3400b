"""What kafka-python leaves undone in transactions, against a real broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.kafka import KafkaConnection
from workers.streams.kafka_clients import transactional_producer

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
