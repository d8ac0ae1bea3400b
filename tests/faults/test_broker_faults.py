"""A broker that is killed and comes back on its data, and one that stands still for a while."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from ingest.kafka import FRAMES_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from orchestration.settings import Settings
from orchestration.stack import Stack
from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine, kill, moment
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.small_coil import SmallCoil
from tests.faults.verdict import expect_calm_report
from workers.streams.kafka_clients import group_consumer, transactional_producer

pytestmark = fault_test

STANDSTILL_S = 20.0
"""Twice a worker's session, and twice what the controller gives a broker."""
GROUP = "open-at-the-kill"
ENDS_WITHIN_S = 30.0
"""The broker gives the transaction up as it starts; Kafka 4.3.1 never told its partitions."""


@each_seed
def test_a_killed_broker_comes_back_on_its_data(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"broker-killed-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        kill(line.broker())
        started = time.monotonic()
        line.restart_broker()
        answers_s = time.monotonic() - started
        line.until_recovered()
        recovered_s = time.monotonic() - started
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("kill -9 broker", seed, answers_s=answers_s, recovered_s=recovered_s)


@each_seed_slowly
def test_a_broker_that_stands_still(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"broker-still-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        broker = line.broker()
        broker.suspend()
        try:
            # The length of the fault, not a wait for something.
            threading.Event().wait(STANDSTILL_S)
        finally:
            broker.resume()
        recovered_s = line.until_recovered()
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("broker stopped for 20 s, after it", seed, recovered_s=recovered_s)


@pytest.mark.slow
def test_a_transaction_that_was_open_when_the_broker_died_keeps_nobody_back(tmp_path: Path) -> None:
    stack = Stack(Settings(run_directory=tmp_path))
    try:
        stack.up(("kafka",))
        connection = stack.kafka_connection()
        place = TopicPartition(FRAMES_TOPIC, 0)
        leave_open_transaction(connection, place)
        broker = stack.started()["kafka"].processes[0].find()
        assert broker is not None
        kill(broker)
        stack.up(("kafka",))
        # Where its port was taken meanwhile it has another.
        assert committed(stack.kafka_connection(), place) == 1
    finally:
        stack.down()


def leave_open_transaction(connection: KafkaConnection, place: TopicPartition) -> None:
    """Commit offset 1 of a partition, and leave a transaction with offset 2 open."""
    consumer = group_consumer(connection, GROUP, place.topic)
    producer = transactional_producer(connection, GROUP)
    for offset in (1, 2):
        producer.begin_transaction()
        producer.send(INSPECTIONS_TOPIC, value=b"record").get(ENDS_WITHIN_S)
        producer.send_offsets_to_transaction(
            {place: OffsetAndMetadata(offset, "", -1)}, consumer.group_metadata()
        )
        if offset == 1:
            producer.commit_transaction()
    producer.close(0)
    consumer.close()


def committed(connection: KafkaConnection, place: TopicPartition) -> int | None:
    """The committed offset of a partition, which Kafka gives when no transaction with another one is open."""
    consumer = group_consumer(connection, GROUP, place.topic)
    try:
        offset: int | None = consumer.committed(place, timeout_ms=ENDS_WITHIN_S * 1000)
        return offset
    finally:
        consumer.close()
