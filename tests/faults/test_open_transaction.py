"""How long readers wait for the open transaction of a worker that was killed."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from ingest.kafka import INSPECTIONS_TOPIC, KafkaConnection
from orchestration.settings import Settings
from orchestration.stack import Stack, kafka
from tests.faults.figures import Figures
from tests.faults.marks import each_seed, fault_test
from tests.faults.open_transaction import OPEN
from workers.streams.kafka_clients import TRANSACTION_TIMEOUT_MS, transactional_producer

pytestmark = fault_test

LONGEST_WAIT_S = 5.0
DEFAULT_SCAN_S = 10.0
"""How often a broker with default settings looks for transactions that timed out."""
SLACK_S = 3.0
"""For brokers that share two cores with other tests."""
ABORT_SCAN = "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n"


@pytest.fixture
def default_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaConnection]:
    """A broker that looks for timed out transactions as seldom as Kafka's default."""
    assert ABORT_SCAN in kafka.PROPERTIES
    monkeypatch.setattr(kafka, "PROPERTIES", kafka.PROPERTIES.replace(ABORT_SCAN, ""))
    stack = Stack(Settings(run_directory=tmp_path))
    try:
        stack.up(("kafka",))
        yield stack.kafka_connection()
    finally:
        stack.down()


@each_seed
def test_readers_wait_at_most_five_seconds(kafka: KafkaConnection, figures: Figures, seed: int) -> None:
    waited_s = seconds_until_read(kafka)
    figures.add("open transaction of a killed worker, embedded broker", seed, readers_waited_s=waited_s)
    assert waited_s <= LONGEST_WAIT_S


@pytest.mark.slow
def test_on_a_broker_with_default_settings_its_scan_comes_on_top(
    default_broker: KafkaConnection, figures: Figures
) -> None:
    waited_s = seconds_until_read(default_broker)
    figures.add("open transaction of a killed worker, default broker", 0, readers_waited_s=waited_s)
    assert waited_s <= TRANSACTION_TIMEOUT_MS / 1000 + DEFAULT_SCAN_S + SLACK_S


def seconds_until_read(connection: KafkaConnection) -> float:
    """Seconds from the kill of a worker with an open transaction until what others committed is read."""
    key = uuid.uuid4().hex
    with reading(connection) as reader:
        dying = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.open_transaction", connection.bootstrap_servers, key],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert dying.stdout is not None
            assert dying.stdout.readline().strip() == OPEN
        finally:
            dying.kill()
            killed_at = time.monotonic()
            dying.communicate()
        other = transactional_producer(connection, "other-worker")
        other.begin_transaction()
        other.send(INSPECTIONS_TOPIC, key=key.encode(), value=key.encode())
        other.commit_transaction()
        other.close()
        deadline = killed_at + 120
        while time.monotonic() < deadline:
            for records in reader.poll(50).values():
                if any(record.value == key.encode() for record in records):
                    return time.monotonic() - killed_at
    raise AssertionError("what was committed behind an open transaction was never read")


@contextmanager
def reading(connection: KafkaConnection) -> Iterator[KafkaConsumer]:
    """A reader at the end of the inspections topic that sees only what was committed."""
    consumer = KafkaConsumer(
        **connection.client_options(), isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        partitions = [
            TopicPartition(INSPECTIONS_TOPIC, n) for n in consumer.partitions_for_topic(INSPECTIONS_TOPIC)
        ]
        consumer.assign(partitions)
        consumer.seek_to_end(*partitions)
        for partition in partitions:
            consumer.position(partition)
        yield consumer
    finally:
        consumer.close()
