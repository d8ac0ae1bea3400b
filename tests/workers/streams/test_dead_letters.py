"""Dead letters and their replay against a real broker, the inspector in this process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from kafka.errors import KafkaError

from ingest.kafka import DEAD_LETTERS_TOPIC, FRAMES_TOPIC, KafkaConnection
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from tests.workers.streams.frames import LINE, InThisProcess, frame, opened
from tests.workers.streams.topics import begin_at_the_end, inspections_of, records_of, step_until
from workers.coil.records import CoilReopened
from workers.errors import DeadLetterNotFoundError
from workers.inspection.records import FrameResult, Inspection
from workers.streams.dead_letters import ATTEMPT_HEADER, DeadLetter, DeadLetters, LetterBox
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.messages import read_inspection_record
from workers.streams.replaying import replay
from workers.streams.settings import FrameLoopSettings

pytestmark = pytest.mark.stack

FRAMES = 6
TRIES = 3
REASON = "its inspection killed an inspector process twice"


class Sickly(InThisProcess):
    """Cannot inspect the sequences in `bad`."""

    def __init__(self, bad: set[int]) -> None:
        super().__init__()
        self.bad = bad

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        results = super().submit(frames).result()
        dead = FrameResult(status="unreadable", reason=REASON, attempts=TRIES)
        future: Future[list[FrameResult]] = Future()
        pairs = zip(frames, results, strict=True)
        future.set_result([dead if one.header.sequence in self.bad else result for one, result in pairs])
        return future


class Bench:
    """A frame worker that is stepped, on a broker that others use, too."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self.kafka = kafka
        self.coil = f"D-{uuid.uuid4().hex[:12]}"
        self.client = Sickly({1, 4})
        group = f"letters-{uuid.uuid4().hex}"
        begin_at_the_end(kafka, group)
        self.loop = FrameLoop(
            group_consumer(kafka, group, "frames"),
            transactional_producer(kafka, "test-letters"),
            self.client,
            settings=FrameLoopSettings(group=group, batch_frames=4),
        )

    def send_coil(self) -> None:
        with Publisher(self.kafka) as publisher:
            publisher.open_coil(opened(self.coil))
            for n in range(FRAMES):
                publisher.send(frame(self.coil, n))
        self.inspect_until(FRAMES)

    def inspect_until(self, inspections: int) -> None:
        step_until(lambda: len(self.inspections()) >= inspections, self.loop)

    def inspections(self) -> list[Inspection]:
        return [record for record in self.log() if isinstance(record, Inspection)]

    def log(self) -> list[object]:
        return [read_inspection_record(value) for value in inspections_of(self.kafka, self.coil)]

    def letters(self) -> list[DeadLetter]:
        with DeadLetters(self.kafka) as topic:
            return self.of_coil(topic.box())

    def of_coil(self, box: LetterBox) -> list[DeadLetter]:
        return [letter for letter in box.waiting if letter.coil == (LINE, self.coil, 1)]

    def replayed(self) -> list[int]:
        """Sequences on the frames topic that say that they are replays."""
        found = [dict(record.headers) for record in records_of(self.kafka, FRAMES_TOPIC)]
        mine = f'"coil":"{self.coil}"'.encode()
        headers = [one["frame"] for one in found if ATTEMPT_HEADER in one and mine in one["frame"]]
        return sorted(int(header.split(b'"sequence":')[1].split(b",")[0]) for header in headers)


@pytest.fixture
def bench(kafka: KafkaConnection) -> Iterator[Bench]:
    bench = Bench(kafka)
    yield bench
    bench.loop.close()


def test_a_letter_keeps_everything_and_its_neighbours_are_inspected(bench: Bench) -> None:
    bench.send_coil()
    letters = bench.letters()
    assert [letter.frame.sequence for letter in letters if letter.frame] == [1, 4]
    letter = letters[0]
    sent = frame(bench.coil, 1)
    assert (letter.frame, letter.size) == (sent.header, len(sent.data))
    assert (letter.origin.error, letter.origin.attempts) == (REASON, TRIES)
    assert letter.key == f"{LINE}/top/cam1".encode()
    with DeadLetters(bench.kafka) as topic:
        assert topic.payload(letter) == sent.data
    source = records_of(bench.kafka, FRAMES_TOPIC)
    (original,) = (
        record
        for record in source
        if (record.partition, record.offset) == (letter.origin.source_partition, letter.origin.source_offset)
    )
    assert (original.value, tuple(original.headers)) == (sent.data, letter.headers)
    statuses = {record.sequence: (record.status, record.reason) for record in bench.inspections()}
    assert statuses == {
        n: ("unreadable", REASON) if n in bench.client.bad else ("inspected", None) for n in range(FRAMES)
    }


def test_a_replay_reopens_the_coil_before_its_frames_are_inspected_again(bench: Bench) -> None:
    bench.send_coil()
    bench.client.bad.clear()
    replay(bench.kafka, bench.of_coil)
    assert bench.letters() == []
    bench.inspect_until(FRAMES + 2)
    *_, reopened, first, second = bench.log()
    assert isinstance(reopened, CoilReopened)
    assert (reopened.frames, reopened.reason) == (2, "replay of 2 dead-lettered frames")
    again = [record for record in (first, second) if isinstance(record, Inspection)]
    assert sorted((record.sequence, record.status) for record in again) == [
        (1, "inspected"),
        (4, "inspected"),
    ]


def test_no_letter_is_replayed_twice_by_accident(bench: Bench) -> None:
    bench.send_coil()
    assert len(replay(bench.kafka, bench.of_coil)) == 2
    assert replay(bench.kafka, bench.of_coil) == []
    assert bench.replayed() == [1, 4]


def test_of_two_replays_at_once_the_older_one_ends(bench: Bench) -> None:
    bench.send_coil()

    def meanwhile(box: LetterBox) -> list[DeadLetter]:
        assert len(replay(bench.kafka, bench.of_coil)) == 2
        return bench.of_coil(box)

    with pytest.raises(KafkaError):
        replay(bench.kafka, meanwhile)
    assert bench.replayed() == [1, 4]


def test_what_fails_again_is_a_new_letter_that_knows_its_past(bench: Bench) -> None:
    bench.send_coil()
    before = {letter.frame.sequence: letter for letter in bench.letters() if letter.frame}
    replay(bench.kafka, bench.of_coil)
    step_until(lambda: len(bench.letters()) == 2, bench.loop)
    for letter in bench.letters():
        assert letter.frame
        old = before[letter.frame.sequence]
        assert letter.id != old.id
        assert letter.origin.attempts == 2 * TRIES
        assert letter.origin.first_failure_ms == old.origin.first_failure_ms
        assert [name for name, _ in letter.headers].count(ATTEMPT_HEADER) == 1


def test_strangers_on_the_topic_are_passed_over(bench: Bench) -> None:
    stranger = transactional_producer(bench.kafka, "stranger")
    stranger.begin_transaction()
    for headers in ([], [("dead-letter", b"{}")], [("replayed", b"nonsense")], [("dead-letter", b"\xff")]):
        stranger.send(DEAD_LETTERS_TOPIC, value=b"?", headers=headers)
    stranger.commit_transaction()
    stranger.close()
    bench.send_coil()
    assert len(bench.letters()) == 2


def test_an_id_that_nobody_has_is_said_in_one_line() -> None:
    with pytest.raises(DeadLetterNotFoundError, match="no dead letter '9-9'; `coilwatch dead-letters list`"):
        LetterBox().letter("9-9")
