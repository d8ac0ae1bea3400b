from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from ingest.kafka import FRAMES_TOPIC, KafkaConnection
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from orchestration.errors import UnreachableError
from orchestration.settings import Settings
from orchestration.stack.ports import free_port
from orchestration.stack.status import lag_of
from orchestration.stack.strip_lag import seconds_behind
from tests.workers.streams.frames import frame
from tests.workers.streams.topics import begin_at_the_end, step_until
from workers.streams.kafka_clients import transactional_producer
from workers.streams.settings import FrameLoopSettings

pytestmark = pytest.mark.stack


@pytest.fixture
def group(kafka: KafkaConnection) -> str:
    """A group that has committed everything."""
    name = f"lag-{uuid.uuid4().hex}"
    begin_at_the_end(kafka, name)
    return name


def publish(kafka: KafkaConnection, *captured_at: datetime | None) -> None:
    with Publisher(kafka) as publisher:
        for number, at in enumerate(captured_at):
            # 16 frames of a camera go to one partition: these go to one each.
            one = frame(f"S-{uuid.uuid4().hex[:8]}", 16 * number)
            publisher.send(EncodedFrame(one.header.model_copy(update={"captured_at": at}), one.data))


def test_a_group_that_has_committed_everything_is_not_behind(kafka: KafkaConnection, group: str) -> None:
    assert seconds_behind(kafka, group) == 0.0


def test_the_oldest_frame_of_all_partitions_counts(kafka: KafkaConnection, group: str) -> None:
    now = datetime.now(UTC)
    publish(kafka, *(now - timedelta(seconds=age) for age in (5, 40, 12)))
    assert seconds_behind(kafka, group, now) == pytest.approx(40.0)


def test_a_frame_without_a_time_of_its_own_is_as_old_as_its_arrival(
    kafka: KafkaConnection, group: str
) -> None:
    publish(kafka, None)
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    assert 60 <= seconds_behind(kafka, group, in_a_minute) < 90


def test_what_is_committed_is_not_behind_any_more(kafka: KafkaConnection, group: str) -> None:
    publish(kafka, datetime.now(UTC) - timedelta(seconds=100))
    begin_at_the_end(kafka, group)
    assert seconds_behind(kafka, group) == 0.0


def test_the_status_says_frames_and_seconds(kafka: KafkaConnection, group: str) -> None:
    publish(kafka, datetime.now(UTC) - timedelta(seconds=3600))
    said = lag_of(kafka, Settings(frame_worker=FrameLoopSettings(group=group)))
    assert said.startswith("1 frame records, 36")
    assert " s behind the strip; " in said


def test_the_end_of_a_transaction_is_no_frame(kafka: KafkaConnection, group: str) -> None:
    """A group that stands before the marker that ends a replay's transaction waits for nothing."""
    consumer = KafkaConsumer(**kafka.client_options(), group_id=group, enable_auto_commit=False)
    place = TopicPartition(FRAMES_TOPIC, 0)
    consumer.assign([place])
    producer = transactional_producer(kafka, "test-lag")
    producer.begin_transaction()
    sent = producer.send(FRAMES_TOPIC, b"?", partition=0).get(30)
    producer.commit_transaction()
    producer.close()
    consumer.commit({place: OffsetAndMetadata(sent.offset + 1, "", -1)})
    # The broker writes its marker a moment after it has said that the transaction is committed.
    step_until(lambda: consumer.end_offsets([place])[place] > sent.offset + 1)
    consumer.close()
    assert seconds_behind(kafka, group) == 0.0


def test_without_a_broker_it_is_said() -> None:
    nobody = KafkaConnection(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with pytest.raises(UnreachableError):
        seconds_behind(nobody, "nobody")
