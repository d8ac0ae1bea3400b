"""Both loops against a real broker, the inspector in this process."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner.default import murmur2

from ingest.kafka import (
    CONTROL_HEADER,
    DEAD_LETTERS_TOPIC,
    FRAME_HEADER,
    FRAMES_TOPIC,
    INSPECTIONS_TOPIC,
    KafkaConnection,
)
from ingest.publisher import Publisher
from ingest.records import CoilKey, EncodedFrame, key_bytes
from tests.workers.streams.frames import LINE, InThisProcess, closed, frame, opened
from tests.workers.streams.topics import begin_at_the_end
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CoilReport
from workers.report.errors import ReportNotFoundError
from workers.report.store import ReportStore
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import SHOW_AGAIN_S, CoilLoop
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.live_view import LiveView
from workers.streams.redis_rest import REST_S, RedisRest
from workers.streams.report_writers import ReportWriters
from workers.streams.result_cache import ResultCache
from workers.streams.settings import CoilLoopSettings, FrameLoopSettings

pytestmark = pytest.mark.stack

FRAMES = 20


class Line:
    """A frame worker and a coil worker, stepped by the test."""

    def __init__(self, kafka: KafkaConnection, redis_url: str, reports: Path) -> None:
        self.kafka = kafka
        self.redis = redis.Redis.from_url(redis_url)
        self.store = ReportStore(str(reports))
        self.client = InThisProcess()
        self.live_view = LiveView(self.redis)
        self.group = uuid.uuid4().hex
        self._closing: list[Callable[[], None]] = []

    def frame_loop(self, batch_frames: int = 4, rest: RedisRest | None = None) -> FrameLoop:
        consumer = group_consumer(self.kafka, f"frames-{self.group}", "frames")
        producer = transactional_producer(self.kafka, "test-frames")
        settings = FrameLoopSettings(group=f"frames-{self.group}", batch_frames=batch_frames)
        cache = ResultCache(self.redis, rest)
        loop = FrameLoop(
            consumer, producer, self.client, cache=cache, live_view=self.live_view, settings=settings
        )
        self._closing.append(loop.close)
        return loop

    def coil_loop(
        self, grace_s: float = 60.0, idle_s: float = 600.0, clock: Callable[[], float] = time.monotonic
    ) -> CoilLoop:
        consumer = group_consumer(self.kafka, f"coils-{self.group}", "inspections")
        producer = transactional_producer(self.kafka, "test-coils")
        loop = CoilLoop(
            consumer,
            producer,
            ReportWriters(self.store),
            CoilHistory(self.kafka),
            rules=GradingRules.load(None),
            joining=JoiningSettings(),
            live_view=self.live_view,
            clock=clock,
            settings=CoilLoopSettings(group=f"coils-{self.group}", grace_s=grace_s, idle_s=idle_s),
        )
        self._closing.append(loop.close)
        return loop

    def send(self, coil: str, frames: list[EncodedFrame], count: int | None = None) -> None:
        with Publisher(self.kafka) as publisher:
            publisher.open_coil(opened(coil))
            for item in frames:
                publisher.send(item)
            publisher.close_camera(closed(coil, len(frames) if count is None else count))

    def run_until_reported(self, coil: str, *loops: FrameLoop | CoilLoop) -> CoilReport:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for loop in loops:
                loop.step()
            try:
                return self.store.read(LINE, coil)
            except ReportNotFoundError:
                continue
        raise AssertionError(f"coil {coil} was not reported in time")

    def run_until_shown(self, key: CoilKey, inspected: int, *loops: FrameLoop | CoilLoop) -> None:
        deadline = time.monotonic() + 60
        while (seen := self.live_view.read(key)) is None or seen.inspected < inspected:
            assert time.monotonic() < deadline, f"{seen} is shown of coil {key[1]}"
            for loop in loops:
                loop.step()

    def close(self) -> None:
        for close in self._closing:
            close()


@pytest.fixture
def line(kafka: KafkaConnection, redis_url: str, tmp_path: Path) -> Iterator[Line]:
    line = Line(kafka, redis_url, tmp_path)
    begin_at_the_end(kafka, f"frames-{line.group}")
    begin_at_the_end(kafka, f"coils-{line.group}", INSPECTIONS_TOPIC)
    line.redis.flushall()
    yield line
    line.close()


def test_every_frame_is_accounted_for_once(line: Line, coil: str) -> None:
    line.send(coil, [frame(coil, n) for n in range(FRAMES)])
    report = line.run_until_reported(coil, line.frame_loop(), line.coil_loop())
    camera = report.cameras[0]
    assert (camera.sent, camera.inspected, camera.unreadable, camera.missing) == (FRAMES, FRAMES, 0, 0)
    assert len(report.events) == len(range(0, FRAMES, 3))


def test_a_replayed_coil_runs_no_network_and_reports_the_same(line: Line, coil: str) -> None:
    frame_loop, coil_loop = line.frame_loop(), line.coil_loop()
    line.send(coil, [frame(coil, n) for n in range(FRAMES)])
    first = line.run_until_reported(coil, frame_loop, coil_loop)
    tiles = line.client.segmentation.tiles
    assert tiles > 0
    again = f"{coil}-again"
    line.send(again, [frame(again, n) for n in range(FRAMES)])
    second = line.run_until_reported(again, frame_loop, coil_loop)
    assert line.client.segmentation.tiles == tiles
    assert [event.area_mm2 for event in second.events] == [event.area_mm2 for event in first.events]
    assert line.live_view.counters((LINE, again, 1)) == {"cache_hits": FRAMES}


def test_duplicates_count_once(line: Line, coil: str) -> None:
    frames = [frame(coil, n) for n in range(FRAMES)]
    line.send(coil, [*frames, *frames[5:9]], count=FRAMES)
    report = line.run_until_reported(coil, line.frame_loop(), line.coil_loop())
    assert report.cameras[0].inspected == FRAMES
    assert len(report.events) == len(range(0, FRAMES, 3))


def test_frames_past_a_cache_that_rests_are_counted_also_while_nobody_takes_the_count(
    line: Line, coil: str
) -> None:
    now = 0.0
    rest = RedisRest(clock=lambda: now)
    rest.failed(redis.RedisError("away"))
    line.live_view = LiveView(line.redis, rest)
    loop, coils = line.frame_loop(rest=rest), line.coil_loop()
    line.send(coil, [frame(coil, n) for n in range(FRAMES)])
    report = line.run_until_reported(coil, loop, coils)
    assert report.cameras[0].inspected == FRAMES
    now = REST_S + 1
    assert line.live_view.counters((LINE, coil, 1)) == {}
    again = f"{coil}-again"
    line.send(again, [frame(again, n) for n in range(FRAMES)])
    line.run_until_reported(again, loop, coils)
    counters = line.live_view.counters((LINE, coil, 1))
    assert counters == {"network_runs": FRAMES, "cache_skipped": FRAMES}


def test_a_missing_frame_is_a_hole_after_the_grace_time(line: Line, coil: str) -> None:
    late_s, key = 0.0, (LINE, coil, 1)
    frames, coils = line.frame_loop(), line.coil_loop(4.0, clock=lambda: time.monotonic() + late_s)
    line.send(coil, [frame(coil, n) for n in range(FRAMES) if n != 7], count=FRAMES)
    line.run_until_shown(key, FRAMES - 1, frames, coils)
    # Shorter than what the loop would take for a standstill of its own.
    late_s = 4.5
    report = line.run_until_reported(coil, frames, coils)
    assert report.closed == "grace time passed"
    assert [(hole.reason, hole.frames) for hole in report.holes] == [("missing", 1)]
    assert report.grade.decision != "release"


def test_a_coil_that_stands_still_is_shown_again_where_redis_has_lost_it(line: Line, coil: str) -> None:
    late_s, key = 0.0, (LINE, coil, 1)
    frames, coils = line.frame_loop(), line.coil_loop(clock=lambda: time.monotonic() + late_s)

    with Publisher(line.kafka) as publisher:
        publisher.open_coil(opened(coil))
        for number in range(FRAMES):
            publisher.send(frame(coil, number))
    line.run_until_shown(key, FRAMES, frames, coils)
    line.redis.flushall()
    late_s = SHOW_AGAIN_S
    # No record comes any more: what is shown now is shown again.
    line.run_until_shown(key, FRAMES, frames, coils)


def test_a_broken_frame_is_dead_lettered_and_costs_no_other(line: Line, coil: str) -> None:
    frames = [frame(coil, n) for n in range(FRAMES)]
    frames[4] = EncodedFrame(frames[4].header, b"not an image")
    line.send(coil, frames)
    report = line.run_until_reported(coil, line.frame_loop(), line.coil_loop())
    assert (report.cameras[0].inspected, report.cameras[0].unreadable) == (FRAMES - 1, 1)
    assert report.grade.decision != "release"
    assert b"not an image" in _dead_letters(line.kafka)


def test_records_that_are_not_ours_are_dead_lettered(line: Line, coil: str) -> None:
    with Publisher(line.kafka) as publisher:
        publisher.open_coil(opened(coil))
    stranger = transactional_producer(line.kafka, "stranger")
    stranger.begin_transaction()
    foreign = coil.encode()
    stranger.send(FRAMES_TOPIC, foreign)
    stranger.send(FRAMES_TOPIC, foreign, headers=[(FRAME_HEADER, b"{}")])
    stranger.send(FRAMES_TOPIC, foreign, headers=[(CONTROL_HEADER, b"nonsense")])
    stranger.commit_transaction()
    stranger.close()
    line.send(coil, [frame(coil, n) for n in range(3)])
    frame_loop = line.frame_loop()
    report = line.run_until_reported(coil, frame_loop, line.coil_loop())
    assert report.cameras[0].inspected == 3
    while (letters := _dead_letters(line.kafka).count(foreign)) < 3:
        frame_loop.step()
    assert letters == 3


def test_a_worker_that_dies_before_its_commit_has_done_nothing(line: Line, coil: str) -> None:
    line.send(coil, [frame(coil, n) for n in range(FRAMES)])
    dying = line.frame_loop()
    while not dying._in_flight:
        dying._fetch()
        dying._start()
    dying.close()
    report = line.run_until_reported(coil, line.frame_loop(), line.coil_loop())
    assert report.cameras[0].inspected == FRAMES


def test_a_coil_worker_that_starts_anew_reports_the_same(line: Line, coil: str) -> None:
    frame_loop, first = line.frame_loop(), line.coil_loop()
    line.send(coil, [frame(coil, n) for n in range(FRAMES)], count=FRAMES + 1)
    while not any(state.account.counts.inspected == FRAMES for state in first._open.values()):
        frame_loop.step()
        first.step()
    first.close()
    with Publisher(line.kafka) as publisher:
        publisher.send(frame(coil, FRAMES))
    report = line.run_until_reported(coil, frame_loop, line.coil_loop())
    assert report.closed == "complete"
    assert report.cameras[0].inspected == FRAMES + 1


def test_a_worker_that_joins_takes_nothing_from_a_batch_in_hand(line: Line, coil: str) -> None:
    """A partition that stays with its member keeps its position: what was in hand must be read again."""
    first = line.frame_loop(batch_frames=2)
    line.send(coil, [frame(coil, n) for n in range(FRAMES * 4)])
    while not first._in_flight:
        first._fetch()
        first._start()
    second = line.frame_loop(batch_frames=2)
    joined = threading.Event()

    def join() -> None:
        while not second._consumer.assignment():
            second.step()
        joined.set()

    joining = threading.Thread(target=join)
    joining.start()
    while not joined.is_set():
        first._poll(0.1)
    joining.join()
    report = line.run_until_reported(coil, first, second, line.coil_loop())
    assert (report.cameras[0].inspected, report.cameras[0].missing) == (FRAMES * 4, 0)


def test_a_coil_worker_that_joins_takes_no_coil_apart(line: Line, coil: str) -> None:
    frame_loop, first = line.frame_loop(), line.coil_loop()
    line.send(coil, [frame(coil, n) for n in range(FRAMES)], count=FRAMES + 1)
    _step_until(
        lambda: any(c.account.counts.inspected == FRAMES for c in first._open.values()), frame_loop, first
    )
    second = line.coil_loop()
    joined = threading.Event()

    def join() -> None:
        while not second._consumer.assignment():
            second.step()
        joined.set()

    joining = threading.Thread(target=join)
    joining.start()
    while not joined.is_set():
        first.step()
    joining.join()
    with Publisher(line.kafka) as publisher:
        publisher.send(frame(coil, FRAMES))
    report = line.run_until_reported(coil, frame_loop, first, second)
    assert (report.closed, report.cameras[0].inspected) == ("complete", FRAMES + 1)


def test_a_restart_beside_an_open_coil_leaves_reports_as_they_are(line: Line, coil: str) -> None:
    """Committed offsets go back to the oldest open coil: the end of a closed one's log is read again."""
    frame_loop, first = line.frame_loop(), line.coil_loop()
    other = _in_the_same_partition(line.kafka, coil)
    with Publisher(line.kafka) as publisher:
        publisher.open_coil(opened(coil))
        for n in range(FRAMES // 2):
            publisher.send(frame(coil, n))
        publisher.flush()
        _step_until(
            lambda: any(c.account.counts.inspected == FRAMES // 2 for c in first._open.values()),
            frame_loop,
            first,
        )
        publisher.open_coil(opened(other))
        publisher.send(frame(other, 0))
        publisher.flush()
        _step_until(lambda: (LINE, other, 1) in first._open, frame_loop, first)
        for n in range(FRAMES // 2, FRAMES):
            publisher.send(frame(coil, n))
        publisher.close_camera(closed(coil, FRAMES))
    before = line.run_until_reported(coil, frame_loop, first)
    _step_until(lambda: (LINE, coil, 1) not in first._open, frame_loop, first)
    first.close()
    again = line.coil_loop()
    _step_until(lambda: (LINE, other, 1) in again._open, frame_loop, again)
    assert (LINE, coil, 1) not in again._open
    with Publisher(line.kafka) as publisher:
        publisher.close_camera(closed(other, 1))
    line.run_until_reported(other, frame_loop, again)
    assert line.store.read(LINE, coil) == before
    assert before.cameras[0].inspected == FRAMES


def _in_the_same_partition(connection: KafkaConnection, coil: str) -> str:
    """Another coil whose records share the partition of this one's."""
    producer = KafkaProducer(**connection.client_options())
    partitions = len(producer.partitions_for(INSPECTIONS_TOPIC))
    producer.close()

    def partition(name: str) -> int:
        return int(murmur2(key_bytes((LINE, name, 1))) & 0x7FFFFFFF) % partitions

    return next(name for name in (f"{coil}-{n}" for n in range(1000)) if partition(name) == partition(coil))


def test_a_coil_that_never_opened_neither_holds_the_offsets_back_nor_is_shown(line: Line, coil: str) -> None:
    with Publisher(line.kafka) as publisher:
        publisher.send(frame(coil, 0))
    frame_loop, coil_loop = line.frame_loop(), line.coil_loop(idle_s=1.0)
    line.run_until_shown((LINE, coil, 1), 1, frame_loop, coil_loop)
    _step_until(lambda: (LINE, coil, 1) not in coil_loop._open, frame_loop, coil_loop)
    assert line.live_view.coils() == []
    with pytest.raises(ReportNotFoundError):
        line.store.read(LINE, coil)


def test_a_coil_that_falls_silent_is_closed_and_held(line: Line, coil: str) -> None:
    with Publisher(line.kafka) as publisher:
        publisher.open_coil(opened(coil))
        publisher.send(frame(coil, 1))
    now = [0.0]
    frame_loop, coil_loop = line.frame_loop(), line.coil_loop(idle_s=10.0, clock=lambda: now[0])

    def all_there() -> bool:
        known = coil_loop._open.get((LINE, coil, 1))
        return known is not None and known.account.opened and known.account.counts.inspected == 1

    _step_until(all_there, frame_loop, coil_loop)
    for _ in range(4):
        now[0] += 4.0
        coil_loop.step()
    report = line.run_until_reported(coil, coil_loop)
    assert report.closed == "idle"
    assert report.grade.decision != "release"


def _step_until(condition: Callable[[], bool], *loops: FrameLoop | CoilLoop) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        for loop in loops:
            loop.step()


def _dead_letters(connection: KafkaConnection) -> list[bytes]:
    consumer = KafkaConsumer(**connection.client_options(), isolation_level="read_committed")
    partitions = [
        TopicPartition(DEAD_LETTERS_TOPIC, p) for p in consumer.partitions_for_topic(DEAD_LETTERS_TOPIC)
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    letters: list[bytes] = []
    while any(consumer.position(p) < end for p, end in ends.items()):
        for records in consumer.poll(200).values():
            letters += [record.value for record in records]
    consumer.close()
    return letters
