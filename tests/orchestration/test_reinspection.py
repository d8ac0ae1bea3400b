"""A coil inspected again with another model, on a real broker; the inspectors are in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from numpy.typing import NDArray

from ingest.codecs import encode_frame
from ingest.kafka import FRAMES_TOPIC, KafkaConnection
from ingest.publisher import Publisher
from ingest.records import CameraClosed, CoilKey, CoilOpened, EncodedFrame
from orchestration.reinspection import FramesNotRetainedError, NotReportedError, gaps, reinspect
from tests.workers.streams.frames import LINE, SIZE, DarkIsDefect, closed, frame, opened
from tests.workers.streams.test_loops import Line
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CoilReport
from workers.in_process import inspect_coil
from workers.inspection.inspector import Inspector
from workers.inspection.settings import InspectionSettings
from workers.report.json_report import report_json
from workers.streams.coil_loop import CoilLoop
from workers.streams.frame_loop import FrameLoop
from workers.streams.result_cache import ResultCache

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

FRAMES = 20
WAIT_S = 60


class DarkerIsDefect(DarkIsDefect):
    """Another model: it finds the dark middle of what the first one finds."""

    name = "darker-is-defect"
    digest = "1" * 32

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        self.count(tiles)
        return [np.where(tile < 30, 255, 0).astype(np.uint8) for tile in tiles]


class Listed:
    """A source of frames that are there already."""

    def __init__(self, coil: str, frames: list[EncodedFrame]) -> None:
        self.coil = coil
        self._frames = frames
        self.total_frames = len(frames)

    def opened(self) -> CoilOpened:
        return opened(self.coil)

    def frames(self) -> Iterator[EncodedFrame]:
        return iter(self._frames)

    def closed(self) -> tuple[CameraClosed, ...]:
        return (closed(self.coil, FRAMES),)


class Worked:
    """A line whose loops a test steps until something is so."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.loops: tuple[FrameLoop | CoilLoop, ...] = (line.frame_loop(), line.coil_loop(grace_s=1.0))

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            for loop in self.loops:
                loop.step()

    def report(self, coil: str, revision: int = 1) -> CoilReport:
        self.until(
            lambda: (
                self.line.store.has(LINE, coil, 1)
                and self.line.store.read(LINE, coil, 1).revision >= revision
            )
        )
        # Announced in the transaction behind the writing.
        for loop in self.loops:
            loop.step()
        return self.line.store.read(LINE, coil, 1)

    def reinspect(self, coil: str, inspector: Inspector, **options: object) -> CoilReport:
        cache = ResultCache(self.line.redis)
        done = reinspect(self.line.kafka, (LINE, coil, 1), inspector, cache=cache, **options)  # type: ignore[arg-type]
        return self.report(coil, done.revision)


def mixed_frame(coil: str, sequence: int) -> EncodedFrame:
    """Strip with a dark spot in every third frame, and a darker one in it in every second of these."""
    pixels = np.full((SIZE, SIZE), 150 + sequence % 50, np.uint8)
    if sequence % 3 == 0:
        pixels[20:32, 24:40] = 60
    if sequence % 6 == 0:
        pixels[22:28, 26:38] = 10
    return _with_pixels(frame(coil, sequence), pixels)


def _with_pixels(like: EncodedFrame, pixels: NDArray[np.uint8]) -> EncodedFrame:
    data, digest = encode_frame(pixels, "zstd")
    return EncodedFrame(like.header.model_copy(update={"digest": digest}), data)


def darker() -> tuple[Inspector, DarkerIsDefect]:
    network = DarkerIsDefect()
    return Inspector(network, InspectionSettings(), threads=2), network


def calm(coil: str, frames: list[EncodedFrame]) -> CoilReport:
    inspector, _ = darker()
    source = Listed(coil, frames)
    rules = GradingRules.load()
    return inspect_coil(source, inspector, rules=rules, joining=JoiningSettings()).report


def apart_from_revisions(report: CoilReport) -> bytes:
    return report_json(report.model_copy(update={"revision": 1, "revisions": (), "tombstones": ()}))


def send(kafka: KafkaConnection, coil: str, *frames: EncodedFrame) -> None:
    with Publisher(kafka) as publisher:
        publisher.open_coil(opened(coil))
        for item in frames:
            publisher.send(item)


def end(kafka: KafkaConnection, coil: str) -> None:
    with Publisher(kafka) as publisher:
        publisher.close_camera(closed(coil, FRAMES))


def offsets(kafka: KafkaConnection) -> dict[TopicPartition, int]:
    consumer = KafkaConsumer(**kafka.client_options())
    try:
        partitions = [TopicPartition(FRAMES_TOPIC, p) for p in consumer.partitions_for_topic(FRAMES_TOPIC)]
        return dict(consumer.end_offsets(partitions))
    finally:
        consumer.close()


@pytest.fixture
def line(kafka: KafkaConnection, redis_url: str, tmp_path: Path) -> Iterator[Worked]:
    line = Line(kafka, redis_url, tmp_path)
    line.redis.flushall()
    yield Worked(line)
    line.close()
    line.redis.close()


def test_the_revised_report_is_that_of_the_model_from_the_start(
    line: Worked, kafka: KafkaConnection, coil: str
) -> None:
    frames = [mixed_frame(coil, n) for n in range(FRAMES)]
    # One comes again, and one again with other pixels: the first one counts, now as then.
    # They come so soon that all are in one partition, where their order is kept.
    other = _with_pixels(frames[3], np.full((SIZE, SIZE), 10, np.uint8))
    send(kafka, coil, *frames[:4], frames[0], other, *frames[4:])
    end(kafka, coil)
    before = line.report(coil)
    assert [model.name for model in before.models] == ["dark-is-defect"]

    inspector, network = darker()
    revised = line.reinspect(coil, inspector)

    assert network.tiles == FRAMES
    assert [model.name for model in revised.models] == ["darker-is-defect"]
    assert len(revised.events) < len(before.events)
    assert apart_from_revisions(revised) == apart_from_revisions(
        calm(coil, frames).model_copy(update={"conflicts": before.conflicts})
    )
    assert (revised.revision, revised.revisions[0].inspected_again) == (2, FRAMES)
    assert revised.revisions[0].reason.startswith("inspected again with darker-is-defect 1")
    assert revised.tombstones


def test_a_second_time_runs_no_network(line: Worked, kafka: KafkaConnection, coil: str) -> None:
    send(kafka, coil, *(mixed_frame(coil, n) for n in range(FRAMES)))
    end(kafka, coil)
    line.report(coil)
    first = line.reinspect(coil, darker()[0])

    inspector, network = darker()
    again = line.reinspect(coil, inspector)

    assert network.tiles == 0
    assert again.revision == 3
    assert apart_from_revisions(again) == apart_from_revisions(first)


def test_frames_that_expired_are_named_and_left_unless_some_will_do(
    line: Worked, kafka: KafkaConnection, coil: str
) -> None:
    half = FRAMES // 2
    send(kafka, coil, *(mixed_frame(coil, n) for n in range(half)))
    expired = offsets(kafka)
    send(kafka, coil, *(mixed_frame(coil, n) for n in range(half, FRAMES)))
    end(kafka, coil)
    line.report(coil)
    admin = KafkaAdminClient(**kafka.client_options())
    admin.delete_records(expired)
    admin.close()

    message = f"coil {coil} run 1: 10 of 20 frames are not retained in Kafka any more: top/cam1 0-9"
    with pytest.raises(FramesNotRetainedError, match=message):
        line.reinspect(coil, darker()[0])
    assert line.report(coil).revision == 1

    revised = line.reinspect(coil, darker()[0], partial=True)
    assert {model.name for model in revised.models} == {"dark-is-defect", "darker-is-defect"}
    assert "10 of 20 frames not retained" in revised.revisions[0].reason


def test_one_that_is_cut_off_has_changed_nothing(line: Worked, kafka: KafkaConnection, coil: str) -> None:
    frames = [mixed_frame(coil, n) for n in range(FRAMES)]
    send(kafka, coil, *frames)
    end(kafka, coil)
    before = line.report(coil)

    def cut_off(done: int, total: int) -> None:
        assert (done, total) == (16, FRAMES)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        line.reinspect(coil, darker()[0], progress=cut_off)
    assert line.report(coil) == before
    revised = line.reinspect(coil, darker()[0])
    assert apart_from_revisions(revised) == apart_from_revisions(calm(coil, frames))


def test_a_coil_without_a_report(kafka: KafkaConnection, coil: str) -> None:
    key: CoilKey = (LINE, coil, 1)
    with pytest.raises(NotReportedError, match=f"coil {coil} run 1: Kafka knows of no report"):
        reinspect(kafka, key, darker()[0])


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([("top", "a", 3)], "top/a 3"),
        ([("top", "a", 0), ("top", "a", 1), ("top", "a", 2)], "top/a 0-2"),
        ([("bottom", "a", 0), ("top", "a", 1), ("top", "b", 2)], "bottom/a 0, top/a 1, top/b 2"),
        (
            [("top", "a", n) for n in range(0, 14, 2)],
            "top/a 0, top/a 2, top/a 4, top/a 6, top/a 8 and 2 runs more",
        ),
    ],
    ids=["one", "run", "cameras", "many"],
)
def test_gaps_are_told_in_one_line(frames: list[tuple[str, str, int]], text: str) -> None:
    assert gaps(frames) == text


def test_the_cache_tells_models_apart(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    cache, first, second = ResultCache(client), Inspector(DarkIsDefect()), darker()[0]
    client.flushall()
    frames = [mixed_frame("cached", 0)]
    try:
        cache.put(frames, first.analyse(frames))
        assert cache.get(frames, second.identity) == [None]
        assert cache.get(frames, first.identity) == first.analyse(frames)
    finally:
        client.close()
