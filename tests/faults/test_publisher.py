"""The edge under attack: a broker that is away, still or dead, a killed publisher, a full disk."""

from __future__ import annotations

import gc
import logging
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from ingest.errors import SpoolError
from ingest.kafka import CONTROL_HEADER, FRAME_HEADER, FRAMES_TOPIC, KafkaConnection
from ingest.records import CameraClosed, FrameHeader
from ingest.spool_publisher import SpoolingPublisher, SpoolOptions
from orchestration.settings import Settings
from orchestration.stack import Stack
from orchestration.stack.ports import free_port
from orchestration.streaming import stream
from tests.faults.calm import CalmLine
from tests.faults.line import FaultLine, kill, moment
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.publisher_process import FRAME_BYTES, LIMIT_BYTES, PlainCoil, PublisherProcess
from tests.faults.small_coil import SmallCoil
from tests.faults.verdict import expect_calm_report
from workers.streams.any_header_consumer import AnyHeaderConsumer

pytestmark = fault_test

PATIENCE_S = 90.0
SPEED_MPS = 1.0
FRAMES = 400
"""Four seconds of strip, 200 frames a second."""


class Broker:
    """A broker at an address of its own, to be stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self.servers = f"127.0.0.1:{free_port()}"
        self.connection = KafkaConnection(bootstrap_servers=self.servers)
        kafka = {"embedded": True, "bootstrap_servers": self.servers, "frames_partitions": 4}
        self._stack = Stack(Settings.model_validate({"run_directory": folder, "kafka": kafka}))

    def start(self) -> None:
        self._stack.up(("kafka",))

    def process(self) -> psutil.Process:
        found = self._stack.started()["kafka"].processes[0].find()
        assert found is not None
        return found

    def end(self) -> None:
        if "kafka" in self._stack.started():
            self.process().resume()
        self._stack.down()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


@pytest.fixture(autouse=True)
def collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Collected while their warnings are still expected, and held by no captured log line."""
    with caplog.at_level(logging.CRITICAL, logger="kafka"):
        yield
    for thread in threading.enumerate():
        if thread.name.startswith("coilwatch-ingest"):
            thread.join(10)
    gc.collect()


@dataclass
class Arrived:
    """What the frames topic has of a coil, in the order of arrival on each partition.

    Attributes:
        frames: (camera, sequence) to the values that came.
        order: sequences of a camera in the order in which the broker took them.
        closings: of the cameras.
    """

    frames: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    order: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    closings: list[CameraClosed] = field(default_factory=list)

    def take(self, record: ConsumerRecord, coil: str) -> None:
        headers = dict(record.headers)
        if FRAME_HEADER in headers:
            header = FrameHeader.from_json(headers[FRAME_HEADER])
            if header.coil == coil:
                self.frames.setdefault((header.camera, header.sequence), []).append(record.value)
                self.order.setdefault((header.camera, record.partition), []).append(header.sequence)
        elif headers.get(CONTROL_HEADER) == b"camera-closed":
            closed = CameraClosed.from_json(record.value)
            if closed.coil == coil:
                self.closings.append(closed)


def arrived(connection: KafkaConnection, coil: str) -> Arrived:
    consumer = AnyHeaderConsumer(**connection.client_options(), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(FRAMES_TOPIC, at) for at in consumer.partitions_for_topic(FRAMES_TOPIC)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        came = Arrived()
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(500).values():
                for record in records:
                    came.take(record, coil)
        return came
    finally:
        consumer.close()


def expect_everything(came: Arrived, coil: str, frames: int = FRAMES, *, once: bool) -> None:
    """Every frame of a plain coil, equal where it came twice, in order, and its closings."""
    source = PlainCoil(coil, frames)
    expected = {(frame.header.camera, frame.header.sequence): frame.data for frame in source.frames()}
    assert {key: set(values) for key, values in came.frames.items()} == {
        key: {data} for key, data in expected.items()
    }
    if once:
        assert all(len(values) == 1 for values in came.frames.values())
        assert all(sequences == sorted(sequences) for sequences in came.order.values())
    assert set(came.closings) == set(source.closed())


def acknowledged(publisher: SpoolingPublisher, coil: str, frames: int = FRAMES) -> int:
    """Frames of a plain coil that a publisher knows to be safe and passes over; none once all is in Kafka."""
    return sum(publisher.has(frame.header) for frame in PlainCoil(coil, frames).frames())


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        threading.Event().wait(0.02)


class Streaming:
    """A plain coil that is being published in a thread."""

    def __init__(self, publisher: SpoolingPublisher, coil: str, frames: int = FRAMES) -> None:
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(publisher, coil, frames), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the source still waits"
        if self._failure is not None:
            raise self._failure

    def _run(self, publisher: SpoolingPublisher, coil: str, frames: int) -> None:
        try:
            stream(PlainCoil(coil, frames), publisher, speed_mps=SPEED_MPS)
        except Exception as failure:  # noqa: BLE001 - told to whoever waits
            self._failure = failure


def test_while_kafka_is_well_the_disk_is_not_used(broker: Broker, coil: str, tmp_path: Path) -> None:
    with SpoolingPublisher(broker.connection, SpoolOptions(tmp_path, LIMIT_BYTES)) as publisher:
        stream(PlainCoil(coil, FRAMES), publisher)
        assert publisher.wait_delivered(PATIENCE_S)
        assert publisher.runs("line-1", coil) == {}
        assert publisher.backlog.waiting_for is None
    assert list(tmp_path.glob("*.spool")) == []
    expect_everything(arrived(broker.connection, coil), coil, once=True)


@each_seed
def test_a_broker_that_stands_still_does_not_make_the_strip_wait(
    broker: Broker, coil: str, tmp_path: Path, random_: random.Random, seed: int
) -> None:
    options = SpoolOptions(tmp_path, LIMIT_BYTES, spool_after_s=0.5)
    with SpoolingPublisher(broker.connection, options) as publisher:
        streaming = Streaming(publisher, coil)
        at = random_.randint(1, FRAMES // 2)
        until(lambda: acknowledged(publisher, coil) > at)
        broker.process().suspend()
        try:
            streaming.wait()
            backlog = publisher.backlog
            assert acknowledged(publisher, coil) == 2 * FRAMES
            assert backlog.frames > 0
            assert backlog.data_bytes == backlog.frames * FRAME_BYTES
            assert backlog.spooled_bytes > backlog.data_bytes - 2 * FRAME_BYTES
            assert backlog.age_s > 0.5
        finally:
            broker.process().resume()
        assert publisher.wait_delivered(PATIENCE_S)
        assert publisher.backlog.spooled_bytes == 0
    assert list(tmp_path.glob("*.spool")) == []
    expect_everything(arrived(broker.connection, coil), coil, once=True)


@each_seed_slowly
def test_a_killed_broker_that_comes_back_gets_everything(
    broker: Broker, coil: str, tmp_path: Path, random_: random.Random, seed: int
) -> None:
    options = SpoolOptions(tmp_path, LIMIT_BYTES, spool_after_s=0.5)
    with SpoolingPublisher(broker.connection, options) as publisher:
        streaming = Streaming(publisher, coil)
        at = random_.randint(1, FRAMES // 2)
        until(lambda: acknowledged(publisher, coil) > at)
        kill(broker.process())
        try:
            streaming.wait()
            assert acknowledged(publisher, coil) == 2 * FRAMES
        finally:
            broker.start()
        assert publisher.wait_delivered(PATIENCE_S)
    expect_everything(arrived(broker.connection, coil), coil, once=False)


@each_seed
def test_a_killed_publisher_goes_on_behind_the_last_acknowledged_frame(
    broker: Broker, coil: str, tmp_path: Path, random_: random.Random, seed: int
) -> None:
    victim = PublisherProcess(broker.servers, tmp_path, coil, frames=FRAMES, speed_mps=SPEED_MPS)
    most = random_.randint(1, FRAMES)
    until(lambda: victim.acknowledged >= most)
    victim.kill()
    assert victim.acknowledged < 2 * FRAMES
    follower = PublisherProcess(broker.servers, tmp_path, coil, frames=FRAMES, speed_mps=SPEED_MPS)
    assert follower.wait() == 0
    # The follower was not told again of what its forerunner knew to be safe.
    assert victim.acknowledged + follower.acknowledged <= 2 * FRAMES
    expect_everything(arrived(broker.connection, coil), coil, once=False)


@each_seed_slowly
def test_a_publisher_killed_while_the_broker_stands_still_loses_nothing_that_was_acknowledged(
    broker: Broker, coil: str, tmp_path: Path, random_: random.Random, seed: int
) -> None:
    frames = 3 * FRAMES
    victim = PublisherProcess(broker.servers, tmp_path, coil, frames=frames, speed_mps=SPEED_MPS)
    until(lambda: victim.acknowledged >= 50)
    broker.process().suspend()
    try:
        before = victim.acknowledged
        until(lambda: victim.acknowledged >= before + random_.randint(200, 600))
        victim.kill()
        with SpoolingPublisher(broker.connection, SpoolOptions(tmp_path, LIMIT_BYTES)) as publisher:
            known = acknowledged(publisher, coil, frames)
    finally:
        broker.process().resume()
    assert victim.acknowledged <= known < 2 * frames
    follower = PublisherProcess(broker.servers, tmp_path, coil, frames=frames, speed_mps=SPEED_MPS)
    assert follower.wait() == 0
    expect_everything(arrived(broker.connection, coil), coil, frames, once=False)


@pytest.mark.slow
def test_starting_before_kafka_is_there(coil: str, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    try:
        options = SpoolOptions(tmp_path / "spool", LIMIT_BYTES, spool_after_s=0.2)
        with SpoolingPublisher(broker.connection, options) as publisher:
            stream(PlainCoil(coil, FRAMES), publisher)
            until(lambda: publisher.backlog.waiting_for)
            assert f"no Kafka broker at {broker.servers}" in str(publisher.backlog.waiting_for)
            assert publisher.backlog.frames == 2 * FRAMES
            broker.start()
            assert publisher.wait_delivered(PATIENCE_S)
        expect_everything(arrived(broker.connection, coil), coil, once=True)
    finally:
        broker.end()


def test_a_publisher_that_leaves_before_kafka_is_there_leaves_everything_on_disk(
    broker: Broker, coil: str, tmp_path: Path
) -> None:
    nowhere = KafkaConnection(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with SpoolingPublisher(nowhere, SpoolOptions(tmp_path, LIMIT_BYTES)) as publisher:
        stream(PlainCoil(coil, FRAMES), publisher)
    with SpoolingPublisher(broker.connection, SpoolOptions(tmp_path, LIMIT_BYTES)) as publisher:
        assert publisher.wait_delivered(PATIENCE_S)
    expect_everything(arrived(broker.connection, coil), coil, once=True)


def test_frames_dropped_at_the_limit_are_named_in_the_closing(
    broker: Broker, coil: str, tmp_path: Path
) -> None:
    options = SpoolOptions(tmp_path, FRAMES * FRAME_BYTES, when_full="drop-oldest", spool_after_s=0.2)
    broker.process().suspend()
    try:
        with SpoolingPublisher(broker.connection, options) as publisher:
            stream(PlainCoil(coil, FRAMES), publisher)
            dropped = publisher.backlog.dropped
            assert publisher.backlog.spooled_bytes <= FRAMES * FRAME_BYTES
    finally:
        broker.process().resume()
    assert FRAMES <= dropped < 2 * FRAMES
    with SpoolingPublisher(broker.connection, options) as publisher:
        assert publisher.wait_delivered(PATIENCE_S)
    came = arrived(broker.connection, coil)
    named = {
        (closed.camera, sequence)
        for closed in came.closings
        for stretch in closed.dropped
        for sequence in range(stretch.first, stretch.last + 1)
    }
    assert len(named) == dropped
    assert named | set(came.frames) == {(name, at) for name in ("left", "right") for at in range(FRAMES)}


@each_seed
def test_a_full_disk_is_said_and_what_was_acknowledged_is_kept(
    broker: Broker, coil: str, tmp_path: Path, random_: random.Random, seed: int
) -> None:
    options = SpoolOptions(tmp_path, LIMIT_BYTES, spool_after_s=0.2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    broker.process().suspend()
    try:
        publisher = SpoolingPublisher(broker.connection, options)
        resource.setrlimit(resource.RLIMIT_FSIZE, (random_.randint(50, 150) * FRAME_BYTES, hard))
        with pytest.raises(SpoolError, match=r"File too large; frame \d+ of .* was not taken"), publisher:
            stream(PlainCoil(coil, FRAMES), publisher, speed_mps=SPEED_MPS)
        safe = acknowledged(publisher, coil)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        broker.process().resume()
    assert safe > 0
    with SpoolingPublisher(broker.connection, options) as publisher:
        assert safe <= acknowledged(publisher, coil) < 2 * FRAMES
        stream(PlainCoil(coil, FRAMES), publisher)
        assert publisher.wait_delivered(PATIENCE_S)
    expect_everything(arrived(broker.connection, coil), coil, once=False)


@each_seed
def test_a_killed_publisher_changes_nothing_in_the_report(
    line: FaultLine, calm: CalmLine, random_: random.Random, tmp_path: Path, seed: int
) -> None:
    coil = SmallCoil(f"publisher-killed-{seed}")
    servers = line.settings.kafka.bootstrap_servers
    victim = PublisherProcess(servers, tmp_path, coil.key[1], frames=0, speed_mps=SPEED_MPS)
    line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
    victim.kill()
    follower = PublisherProcess(servers, tmp_path, coil.key[1], frames=0, speed_mps=SPEED_MPS)
    assert follower.wait() == 0
    expect_calm_report(line, calm, coil, coil.key)
