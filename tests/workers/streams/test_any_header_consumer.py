"""Records whose headers have names that are no UTF-8, through a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from ingest.kafka import FRAME_HEADER, FRAMES_TOPIC, KafkaConnection
from ingest.publisher import Publisher
from tests.workers.streams.frames import InThisProcess, frame
from tests.workers.streams.header_names import NameInBytes
from tests.workers.streams.topics import (
    begin_at_the_end,
    drop_records,
    inspections_of,
    step_until,
)
from workers.inspection.records import Inspection
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.dead_letters import DeadLetters
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.messages import read_inspection_record
from workers.streams.settings import FrameLoopSettings

pytestmark = pytest.mark.stack

WAIT_MS = 10_000


BROKEN = NameInBytes(b"\xff\xfename")
SHOWN = r"\xff\xfename"


@pytest.fixture
def producer(kafka: KafkaConnection) -> Iterator[KafkaProducer]:
    # Some records to a batch, so that the broken one has neighbours in it.
    producer = KafkaProducer(**kafka.client_options(), linger_ms=200)
    yield producer
    producer.close()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_every_record_comes_with_its_bytes(
    kafka: KafkaConnection, new_topic: Callable[..., str], compression: str | None
) -> None:
    place = TopicPartition(new_topic(partitions=1), 0)
    sent: list[tuple[bytes | None, bytes, list[tuple[str, bytes]]]] = [
        (None, b"before", [("plain", b"1")]),
        # The name stands in key and value, too, and must stay there as it is.
        (BROKEN.encode(), BROKEN.encode(), [("plain", b"1"), (BROKEN, b"2"), (BROKEN, b""), ("é", b"3")]),
        (b"key", b"", [(BROKEN, BROKEN.encode())]),
        (None, b"behind", []),
    ]
    with_headers = KafkaProducer(**kafka.client_options(), linger_ms=200, compression_type=compression)
    for key, value, headers in sent:
        with_headers.send(place.topic, value, key, headers, partition=0)
    with_headers.close()
    consumer = AnyHeaderConsumer(**kafka.client_options(), auto_offset_reset="earliest")
    consumer.assign([place])
    came: list[ConsumerRecord] = []
    while len(came) < len(sent):
        fetched = consumer.poll(WAIT_MS, max_records=1)
        assert fetched
        came += fetched[place]
    consumer.close()
    shown = [[(SHOWN if name is BROKEN else name, value) for name, value in headers] for *_, headers in sent]
    assert [record.offset for record in came] == [0, 1, 2, 3]
    assert [(record.key, record.value) for record in came] == [(key, value) for key, value, _ in sent]
    assert [record.headers for record in came] == shown


def test_on_the_frames_topic_it_costs_that_record_alone(
    kafka: KafkaConnection, producer: KafkaProducer, coil: str
) -> None:
    group = f"names-{coil}"
    begin_at_the_end(kafka, group)
    loop = FrameLoop(
        group_consumer(kafka, group, "frames"),
        transactional_producer(kafka, "test-names"),
        InThisProcess(),
        settings=FrameLoopSettings(group=group),
    )
    try:
        one, two = frame(coil, 0), frame(coil, 1)
        header = (FRAME_HEADER, one.header.to_json())
        sent = [
            producer.send(FRAMES_TOPIC, b"before", partition=0),
            producer.send(FRAMES_TOPIC, coil.encode(), b"key", [(BROKEN, b"value")], partition=0),
            # What it has of ours is read as ever: a stranger's header is no reason to lose a frame.
            producer.send(FRAMES_TOPIC, one.data, None, [(BROKEN, b"value"), header], partition=0),
        ]
        with Publisher(kafka) as publisher:
            publisher.send(two)
        step_until(lambda: len(inspections_of(kafka, coil)) == 2, loop)
        found = [read_inspection_record(value) for value in inspections_of(kafka, coil)]
        assert sorted(i.sequence for i in found if isinstance(i, Inspection)) == [0, 1]
        offset = sent[1].get(timeout=10).offset
        with DeadLetters(kafka) as letters:
            letter = next(
                letter for letter in letters.box().letters.values() if letter.headers == ((SHOWN, b"value"),)
            )
            assert letters.payload(letter) == coil.encode()
        origin = letter.origin
        assert letter.key == b"key"
        place = (origin.source_topic, origin.source_partition, origin.source_offset)
        assert place == (FRAMES_TOPIC, 0, offset)
        assert "expected a 'frame' or 'control' header" in origin.error
    finally:
        loop.close()
        drop_records(kafka, FRAMES_TOPIC)
