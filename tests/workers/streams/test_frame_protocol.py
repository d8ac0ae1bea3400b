"""The frame worker's commit protocol under arbitrary interleavings, against a Kafka in memory.

Whatever is delivered, duplicated, killed, rebalanced, frozen or refused, and in whatever order: every record
of the frames topic leaves exactly one trace, and the committed offsets are those of the traces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from ingest.kafka import CONTROL_HEADER, DEAD_LETTERS_TOPIC, FRAME_HEADER
from ingest.records import EncodedFrame, FrameHeader
from tests.workers.streams.frames import closed, frame
from tests.workers.streams.group_protocol import WORKERS, GroupProtocol, workers
from tests.workers.streams.kafka_model import Broker, Consumer, Producer, passing_fault
from workers.inspection.records import FrameResult, ModelIdentity
from workers.streams import frame_loop
from workers.streams.dead_letters import ORIGIN_HEADER, Origin
from workers.streams.frame_loop import FIRST_PAUSE_S, JITTER, MOST_FAILURES, FrameLoop
from workers.streams.settings import FrameLoopSettings

PARTITIONS = 3
SETTINGS = FrameLoopSettings(batch_frames=3, batch_bytes=1024, batches_in_flight=2)
PAUSES_S = FIRST_PAUSE_S * 2**MOST_FAILURES * JITTER[1]
"""Longer than any pause after a failure."""
UNREADABLE_EVERY = 5
FRAME = frame("C1", 0)
MODEL = ModelIdentity(name="model", version="1", digest="0" * 32)
partitions = st.integers(0, PARTITIONS - 1)


class Inspections:
    """Inspections that end when the test says so."""

    def __init__(self) -> None:
        self.open: list[tuple[Future[list[FrameResult]], list[EncodedFrame]]] = []

    def identity(self) -> ModelIdentity:
        return MODEL

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        future: Future[list[FrameResult]] = Future()
        self.open.append((future, list(frames)))
        return future

    def close(self) -> None:
        self.open.clear()

    def end(self, index: int) -> None:
        future, frames = self.open.pop(index % len(self.open))
        if future.set_running_or_notify_cancel():
            future.set_result([_result(frame) for frame in frames])


class Worker:
    """One process with a frame loop."""

    def __init__(self, broker: Broker, clock: Callable[[], float]) -> None:
        self.consumer = Consumer(broker)
        self.producer = Producer(broker)
        self.inspections = Inspections()
        self.loop = FrameLoop(self.consumer, self.producer, self.inspections, settings=SETTINGS, clock=clock)


class FrameProtocol(GroupProtocol):
    def __init__(self) -> None:
        super().__init__(Broker())
        self.published = 0

    @initialize(partitions=st.integers(1, PARTITIONS))
    def a_group_at_work(self, partitions: int) -> None:
        for _ in range(partitions):
            self.broker.add_partition()
        for worker in range(WORKERS):
            self.start(worker)
        self._settle()

    @rule(
        partition=partitions,
        count=st.integers(1, 6),
        kind=st.sampled_from(["frame", "large", "control", "foreign"]),
    )
    def deliver(self, partition: int, count: int, kind: str) -> None:
        for _ in range(count):
            self.published += 1
            if kind == "control":
                value, headers = closed("C1", self.published).to_json(), [(CONTROL_HEADER, b"camera-closed")]
            elif kind == "foreign":
                value, headers = str(self.published).encode(), []
            else:
                value = b"." * (1 if kind == "frame" else SETTINGS.batch_bytes)
                headers = [(FRAME_HEADER, _header(self.published).to_json())]
            self.broker.publish(partition % len(self.broker.frames), value, headers)

    @rule(partition=partitions, data=st.data())
    def deliver_again(self, partition: int, data: st.DataObject) -> None:
        log = self.broker.frames[partition % len(self.broker.frames)]
        if log:
            record = data.draw(st.sampled_from(log))
            self.broker.publish(record.partition, record.value, record.headers)

    @rule(worker=workers)
    def start(self, worker: int) -> None:
        if worker not in self.workers:
            self.workers[worker] = Worker(self.broker, lambda: self.now)

    @rule(seconds=st.floats(0.01, PAUSES_S))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=workers, part=st.sampled_from(["_fetch", "_start", "_finish", "step"]))
    def run(self, worker: int, part: str) -> None:
        if worker in self.workers:
            self._run(worker, part)

    @rule(worker=workers, steps=st.integers(1, 6))
    def work_on(self, worker: int, steps: int) -> None:
        for _ in range(steps):
            if worker in self.workers:
                self._end_inspections(worker)
                self._run(worker, "step")

    @rule(worker=workers)
    def commit(self, worker: int) -> None:
        if worker in self.workers:
            self._end_inspections(worker)
            self._run(worker, "_finish")

    @rule(worker=workers, index=st.integers(0, 3))
    def end_an_inspection(self, worker: int, index: int) -> None:
        if worker in self.workers and self.workers[worker].inspections.open:
            self.workers[worker].inspections.end(index)

    @rule(worker=workers, other=workers, noticed=st.booleans())
    def expire_a_frozen_session(self, worker: int, other: int, noticed: bool) -> None:
        """A worker is stopped in mid-batch; others do its work; it wakes and wants to commit."""
        if self._has_work(worker):
            self._run(worker, "_fetch")
            self._run(worker, "_start")
            self.workers[worker].consumer.give_up(noticed=noticed)
            self.work_on(other, 3)
            self.commit(worker)

    @rule(worker=workers, other=workers, commit_first=st.booleans())
    def expire_a_session_while_records_are_handed_out(
        self, worker: int, other: int, commit_first: bool
    ) -> None:
        """The member's own thread forgets who it was between its poll and what the loop asks next."""
        if self._has_work(worker):
            self.workers[worker].consumer.forgets_in_next_poll = True
            self._run(worker, "_fetch")
            self._run(worker, "_start")
            if commit_first:
                self.commit(worker)
            self.work_on(other, 3)
            self.commit(worker)

    @precondition(lambda self: len(self.broker.frames) < PARTITIONS)
    @rule()
    def add_a_partition(self) -> None:
        self.broker.add_partition()

    @invariant()
    def records_below_the_committed_offsets_have_one_trace_each_and_no_other_has_any(self) -> None:
        passed = [
            record
            for partition, log in self.broker.frames.items()
            for record in log[: self.broker.committed.get(partition, 0)]
        ]
        assert Counter(_traces(self.broker)) == Counter(_name(record) for record in passed)
        assert sorted(_dead_letters(self.broker)) == sorted(
            (record.partition, record.offset) for record in passed if _is_for_the_dead(record)
        )

    @invariant()
    def what_is_in_hand_is_bounded(self) -> None:
        for worker in self.workers.values():
            assert len(worker.loop._in_flight) <= SETTINGS.batches_in_flight
            assert len(worker.loop._gathering) <= SETTINGS.batch_frames

    def teardown(self) -> None:
        self.start(0)
        everything = sum(map(len, self.broker.frames.values()))
        for _ in range(20 + 4 * everything):
            if sum(self.broker.committed.values()) == everything:
                break
            while self.dead:
                self.expire_a_dead_session()
            self.pass_time(PAUSES_S)
            for name in list(self.workers):
                self._end_inspections(name)
                self._run(name, "step")
                self.start(0)
        assert sum(self.broker.committed.values()) == everything
        self.records_below_the_committed_offsets_have_one_trace_each_and_no_other_has_any()

    def _settle(self) -> None:
        """Everybody learns who has what, and nobody pauses any more."""
        self.pass_time(PAUSES_S)
        for worker in [*range(WORKERS), *range(WORKERS)]:
            self.work_on(worker, 2)

    def _has_work(self, worker: int) -> bool:
        """Whether a worker is there, after giving everybody something to read."""
        self._settle()
        for partition in range(PARTITIONS):
            self.deliver(partition, 2, "frame")
        return worker in self.workers

    def _end_inspections(self, worker: int) -> None:
        while self.workers[worker].inspections.open:
            self.workers[worker].inspections.end(0)


def _header(sequence: int) -> FrameHeader:
    return FRAME.header.model_copy(update={"sequence": sequence})


def _result(frame: EncodedFrame) -> FrameResult:
    if frame.header.sequence % UNREADABLE_EVERY == 0:
        return FrameResult(status="unreadable", reason="for the test")
    return FrameResult(status="inspected", model=MODEL)


def _name(record: ConsumerRecord) -> str:
    """What the trace of a record of the frames topic says."""
    headers = dict(record.headers)
    if FRAME_HEADER in headers:
        return f"frame {FrameHeader.from_json(headers[FRAME_HEADER]).sequence}"
    if CONTROL_HEADER in headers:
        return f"closed {json.loads(record.value)['frames']}"
    return f"foreign {record.value.decode()}"


def _is_for_the_dead(record: ConsumerRecord) -> bool:
    kind, _, number = _name(record).partition(" ")
    return kind == "foreign" or (kind == "frame" and int(number) % UNREADABLE_EVERY == 0)


def _traces(broker: Broker) -> Iterator[str]:
    for topic, record in broker.written:
        if topic == DEAD_LETTERS_TOPIC:
            if FRAME_HEADER not in dict(record["headers"]):
                yield f"foreign {record['value'].decode()}"
            continue
        message = json.loads(record["value"])
        is_frame = message["kind"] == "inspection"
        yield f"frame {message['sequence']}" if is_frame else f"closed {message['frames']}"


def _dead_letters(broker: Broker) -> Iterator[tuple[int, int]]:
    for topic, record in broker.written:
        if topic == DEAD_LETTERS_TOPIC:
            origin = Origin.from_json(dict(record["headers"])[ORIGIN_HEADER])
            yield origin.source_partition, origin.source_offset


@pytest.fixture(autouse=True, scope="module")
def no_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_loop, "WAIT_SLICE_S", 0.0)
        yield


TestFrameProtocol = FrameProtocol.TestCase
TestFrameProtocol.settings = settings(
    max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)


def test_what_kafka_refused_is_read_again_after_pauses_that_grow() -> None:
    broker, now = Broker(), 0.0
    broker.add_partition()
    worker = Worker(broker, lambda: now)
    broker.publish(0, b".", [(FRAME_HEADER, _header(1).to_json())])
    pauses: list[float] = []
    for _ in range(MOST_FAILURES + 1):
        since = now
        while not worker.inspections.open:
            now += FIRST_PAUSE_S / 100
            worker.loop.step()
        pauses.append(now - since)
        worker.producer.fault = passing_fault("send")
        worker.inspections.end(0)
        if len(pauses) <= MOST_FAILURES:
            worker.loop.step()
    assert len({round(pause / 2**number, 3) for number, pause in enumerate(pauses[1:])}) > 1, "no jitter"
    for number, pause in enumerate(pauses[1:]):
        least, most = (FIRST_PAUSE_S * 2**number * factor for factor in JITTER)
        assert least <= pause <= most + FIRST_PAUSE_S / 50
    with pytest.raises(KafkaError, match="away"):
        worker.loop.step()
