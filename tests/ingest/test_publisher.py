from __future__ import annotations

import re
import socket
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, TopicPartition

from ingest import publisher as publisher_module
from ingest.byte_window import ByteWindow
from ingest.errors import BadImageError, PublishError
from ingest.kafka import FRAMES_TOPIC, MAX_FRAME_BYTES, KafkaConnection
from ingest.publisher import FRAMES_PER_RUN, Publisher, check_fits, frame_partition
from ingest.records import CameraBand, CameraClosed, CoilOpened, EncodedFrame, FrameHeader, bytes_digest

BAND = CameraBand(side="top", camera="a", across_mm=0, columns=10, mm_per_row=1, mm_per_column=1)


def frame(coil: str, sequence: int, data: bytes = b"\x07" * 100, camera: str = "a") -> EncodedFrame:
    header = FrameHeader(
        line="line-1",
        coil=coil,
        side="top",
        camera=camera,
        sequence=sequence,
        along_mm=10.0 * sequence,
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=10,
        width=10,
        encoding="raw",
        digest=bytes_digest(data),
    )
    return EncodedFrame(header, data)


def closed(coil: str, frames: int) -> CameraClosed:
    return CameraClosed(line="line-1", coil=coil, side="top", camera="a", frames=frames, end_mm=10.0 * frames)


@given(
    partitions=st.integers(1, 12),
    runs=st.integers(1, 30),
    camera=st.from_regex(r"[a-z]{1,5}", fullmatch=True),
)
def test_runs_of_a_camera_go_round_the_partitions(partitions: int, runs: int, camera: str) -> None:
    headers = [frame("c", at, camera=camera).header for at in range(runs * FRAMES_PER_RUN)]
    chosen = [frame_partition(header, partitions) for header in headers]
    starts = chosen[::FRAMES_PER_RUN]
    assert chosen == [start for start in starts for _ in range(FRAMES_PER_RUN)]
    assert all((after - before) % partitions == 1 % partitions for before, after in pairwise(starts))


def test_cameras_begin_on_different_partitions() -> None:
    assert len({frame_partition(frame("c", 0, camera=f"cam-{at}").header, 4) for at in range(16)}) == 4


def test_no_broker_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PublishError, match=f"^no Kafka broker at {address} within 0.5 s: ") as caught:
            Publisher(KafkaConnection(bootstrap_servers=address), connect_timeout_s=0.5)
    assert caught.value.retriable
    assert "\n" not in str(caught.value)


def test_a_frame_that_is_too_large_is_named() -> None:
    check_fits(frame("C1", 3, bytes(MAX_FRAME_BYTES)))
    with pytest.raises(
        BadImageError, match=rf"^frame 3 of C1 top/a: expected at most {MAX_FRAME_BYTES} bytes, got \d+$"
    ):
        check_fits(frame("C1", 3, bytes(MAX_FRAME_BYTES + 1)))


@pytest.fixture
def reader(kafka: KafkaConnection) -> Iterator[KafkaConsumer]:
    """A consumer that stands at the end of the topic as it is now."""
    consumer = KafkaConsumer(**kafka.client_options(), enable_auto_commit=False, fetch_max_wait_ms=50)
    partitions = [TopicPartition(FRAMES_TOPIC, at) for at in consumer.partitions_for_topic(FRAMES_TOPIC)]
    consumer.assign(partitions)
    consumer.seek_to_end(*partitions)
    for partition in partitions:
        consumer.position(partition)
    yield consumer
    consumer.close()


def read(consumer: KafkaConsumer, count: int) -> list[Any]:
    """Records in the order in which Kafka took them, partition by partition."""
    records: list[Any] = []
    while len(records) < count:
        polled = consumer.poll(timeout_ms=5000)
        assert polled, f"expected {count} records, got {len(records)}"
        records += [record for batch in polled.values() for record in batch]
    return records


@pytest.mark.stack
def test_a_coil_arrives_whole(kafka: KafkaConnection, reader: KafkaConsumer, coil: str) -> None:
    opened = CoilOpened(line="line-1", coil=coil, cameras=(BAND,))
    frames = [frame(coil, at, bytes([at]) * (at * 5000)) for at in range(40)]
    with Publisher(kafka) as publisher:
        publisher.open_coil(opened)
        for one in frames:
            publisher.send(one)
        publisher.close_camera(closed(coil, 40))
        publisher.flush(0)
    records = read(reader, 42)
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        by_kind[record.headers[0][0]].append(record)
        assert [name for name, _ in record.headers][1:] == ["traceparent"]
        assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", record.headers[1][1])
    came = {FrameHeader.from_json(record.headers[0][1]): record for record in by_kind["frame"]}
    assert {header: record.value for header, record in came.items()} == {
        one.header: one.data for one in frames
    }
    count = len(reader.partitions_for_topic(FRAMES_TOPIC))
    assert all(record.partition == frame_partition(header, count) for header, record in came.items())
    assert {record.key for record in by_kind["frame"]} == {b"line-1/top/a"}
    controls = {record.headers[0][1]: record.value for record in by_kind["control"]}
    assert CoilOpened.from_json(controls[b"coil-opened"]) == opened
    assert CameraClosed.from_json(controls[b"camera-closed"]) == closed(coil, 40)


@pytest.mark.stack
def test_opening_and_closing_are_durable_when_they_return(
    kafka: KafkaConnection, reader: KafkaConsumer, coil: str
) -> None:
    with Publisher(kafka) as publisher:
        publisher.open_coil(CoilOpened(line="line-1", coil=coil, cameras=(BAND,)))
        assert len(read(reader, 1)) == 1
        publisher.send(frame(coil, 0))
        publisher.close_camera(closed(coil, 1))
        assert len(read(reader, 2)) == 2


@pytest.mark.stack
def test_bytes_in_flight_stay_in_their_window(
    kafka: KafkaConnection, coil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight: list[int] = []

    class WatchedWindow(ByteWindow):
        def enter(self, size: int) -> None:
            super().enter(size)
            in_flight.append(self.bytes_in_flight)

    monkeypatch.setattr(publisher_module, "ByteWindow", WatchedWindow)
    with Publisher(kafka, max_bytes_in_flight=300_000) as publisher:
        for at in range(50):
            publisher.send(frame(coil, at, b"\x01" * 100_000))
    assert len(in_flight) == 50
    assert 100_000 <= max(in_flight) <= 300_000


@pytest.mark.stack
def test_the_largest_frame_fits_and_a_larger_one_is_refused(
    kafka: KafkaConnection, reader: KafkaConsumer, coil: str
) -> None:
    with Publisher(kafka) as publisher:
        with pytest.raises(
            BadImageError, match=f"at most {MAX_FRAME_BYTES} bytes, got {MAX_FRAME_BYTES + 1}"
        ):
            publisher.send(frame(coil, 0, bytes(MAX_FRAME_BYTES + 1)))
        publisher.send(frame(coil, 0, bytes(MAX_FRAME_BYTES)))
        publisher.send(frame(coil, 1, b""))
    assert {len(record.value) for record in read(reader, 2)} == {MAX_FRAME_BYTES, 0}


@pytest.mark.stack
@pytest.mark.parametrize("refused_by", ["client", "broker"])
def test_a_failed_record_ends_the_publisher(
    kafka: KafkaConnection, coil: str, monkeypatch: pytest.MonkeyPatch, refused_by: str
) -> None:
    monkeypatch.setattr("ingest.publisher.MAX_FRAME_BYTES", 3 * MAX_FRAME_BYTES)
    publisher = Publisher(kafka)
    if refused_by == "client":
        monkeypatch.setattr("ingest.publisher.MAX_FRAME_BYTES", 5 * MAX_FRAME_BYTES)
    size = 5 * MAX_FRAME_BYTES if refused_by == "client" else 2 * MAX_FRAME_BYTES
    message = rf"Kafka at .* did not take frame 3 of {coil} top/a: .*"
    with pytest.raises(PublishError, match=message), publisher:
        publisher.send(frame(coil, 3, bytes(size)))
    with pytest.raises(PublishError, match=message):
        publisher.send(frame(coil, 4))
    with pytest.raises(PublishError, match=message):
        publisher.flush()


@pytest.mark.stack
def test_a_flush_that_takes_too_long_says_so(kafka: KafkaConnection, coil: str) -> None:
    with Publisher(kafka) as publisher:
        publisher.send(frame(coil, 0, bytes(MAX_FRAME_BYTES)))
        with pytest.raises(
            PublishError, match=f"did not acknowledge within 0 s, {MAX_FRAME_BYTES} bytes wait"
        ):
            publisher.flush(0)
