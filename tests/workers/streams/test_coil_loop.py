"""The coil worker's loop against a real broker: closing, revising, dying in between."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.coil_rebuild import measure
from ingest.kafka import EVENTS_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import CameraClosed, CoilOpened, coil_key, key_bytes
from tests.workers.coil.records import LINE, MODEL, box, closed, finding, inspection, opened, unreadable
from tests.workers.streams.header_names import NameInBytes
from tests.workers.streams.topics import begin_at_the_end, drop_records
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CoilClosed, CoilReopened, CoilReport
from workers.inspection.records import Inspection, ModelIdentity
from workers.report.delivery import Delivery
from workers.report.errors import ReportNotFoundError
from workers.report.json_report import report_json
from workers.report.store import ReportLocation, ReportStore
from workers.streams import coil_loop
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import CoilLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.messages import CoilReported, report_key
from workers.streams.report_writers import ReportWriters
from workers.streams.settings import CoilLoopSettings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

RULES = GradingRules.load()
OTHER = ModelIdentity(name="csnet", version="2", digest="cd" * 16)
GRACE_S = 0.5
DEADLINE_S = 60.0


class KilledError(Exception):
    """The worker is gone at this point."""


class Workers:
    """Coil workers of one group, one at a time, over a log that the test writes."""

    def __init__(self, kafka: KafkaConnection, reports: Path) -> None:
        self.kafka = kafka
        self.reports = reports
        self.store = ReportStore(str(reports))
        self.writers = ReportWriters(self.store)
        self.producer = KafkaProducer(**kafka.client_options())
        self._group = uuid.uuid4().hex
        begin_at_the_end(kafka, self._group, INSPECTIONS_TOPIC)
        self._loop: CoilLoop | None = None

    def start(self, *, grace_s: float = GRACE_S, idle_s: float = 600.0) -> CoilLoop:
        """A new worker; the one before it leaves."""
        self.stop()
        self._loop = CoilLoop(
            group_consumer(self.kafka, self._group, "inspections"),
            transactional_producer(self.kafka, "test-coils"),
            self.writers,
            CoilHistory(self.kafka),
            rules=RULES,
            joining=JoiningSettings(),
            settings=CoilLoopSettings(group=self._group, grace_s=grace_s, idle_s=idle_s, poll_s=0.05),
        )
        return self._loop

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def append(self, *records: CoilRecord) -> None:
        for record in records:
            self.producer.send(INSPECTIONS_TOPIC, key=key_bytes(coil_key(record)), value=record.to_json())
        self.producer.flush()

    def until(self, condition: Callable[[], bool]) -> None:
        assert self._loop is not None
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            self._loop.step()

    def revision(self, coil: str, run: int = 1) -> int:
        try:
            return self.store.read(LINE, coil, run).revision
        except ReportNotFoundError:
            return 0

    def reported(self, coil: str, revision: int = 1, run: int = 1) -> CoilReport:
        """The report, once that revision is announced."""
        self.until(lambda: self.revision(coil, run) >= revision and not self.in_hand(coil, run))
        self.until(lambda: revision in [report.revision for report in self.announced(coil, run)])
        return self.store.read(LINE, coil, run)

    def in_hand(self, coil: str, run: int = 1) -> bool:
        assert self._loop is not None
        return (LINE, coil, run) in self._loop._open

    def inspected(self, coil: str) -> int:
        assert self._loop is not None
        known = self._loop._open.get((LINE, coil, 1))
        return known.account.counts.inspected if known else 0

    def announced(self, coil: str, run: int = 1) -> list[CoilReported]:
        key = report_key((LINE, coil, run))
        found = [value for name, value in read_all(self.kafka, EVENTS_TOPIC) if name == key]
        return [CoilReported.from_json(value) for value in found]


def read_all(kafka: KafkaConnection, topic: str) -> list[tuple[bytes, bytes]]:
    """Key and value of every committed record of a topic."""
    consumer = KafkaConsumer(**kafka.client_options(), isolation_level="read_committed")
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found = []
        while any(consumer.position(p) < end for p, end in ends.items()):
            for records in consumer.poll(100).values():
                found += [(record.key, record.value) for record in records]
        return found
    finally:
        consumer.close()


@pytest.fixture
def workers(kafka: KafkaConnection, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(kafka, tmp_path / "reports")
    yield workers
    workers.stop()
    workers.producer.close()


def log_of(coil: str, frames: Sequence[int], count: int, run: int = 1) -> list[CoilRecord]:
    """A coil of one camera with a defect in each frame, opened and closed."""
    return [
        opened(coil=coil, run=run),
        *(frame(coil, sequence, run=run) for sequence in frames),
        closed(count, coil=coil, run=run),
    ]


def frame(coil: str, sequence: int, model: ModelIdentity = MODEL, run: int = 1) -> Inspection:
    start = sequence * 100.0 + 40
    spot = finding(box(start, start + 10, 20, 30), name=(coil, run, model.version))
    return inspection(sequence, spot, coil=coil, run=run, model=model)


def calm(records: Sequence[CoilRecord], closing: CoilClosed) -> bytes:
    """The report that one process makes of the same records."""
    account = CoilAccount(*coil_key(closing))
    for record in records:
        account.take(record)
    return report_json(account.report(closing, RULES))


def test_late_frames_revise(workers: Workers, coil: str) -> None:
    first = log_of(coil, [0, 1, 4], count=5)
    workers.start()
    workers.append(*first)
    before = workers.reported(coil)
    assert (before.closed, before.cameras[0].missing) == ("grace time passed", 2)

    workers.append(frame(coil, 2), frame(coil, 3))
    after = workers.reported(coil, revision=2)
    assert (after.closed, after.cameras[0].missing, len(after.events)) == ("complete", 0, 5)
    assert [(r.revision, r.reason) for r in after.revisions] == [(2, "2 late frames")]
    assert [a.reason for a in workers.announced(coil)][-2:] == [None, "2 late frames"]
    folder = Path(workers.store.folder(LINE, coil, 1))
    assert (folder / "revision-1" / "report.json").read_bytes() == report_json(before)
    assert '"late_frames": 2' in (folder / "delivery.json").read_text()

    workers.start()
    workers.append(frame(coil, 5))
    assert workers.reported(coil, revision=3).revisions[-1].reason == "1 late frame"


def test_memory_is_handed_back_once_the_log_was_read_back(
    workers: Workers, coil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_back: list[int] = []
    monkeypatch.setattr(coil_loop, "hand_back_memory", lambda: handed_back.append(1))
    workers.append(*log_of(coil, [0, 2], count=3))
    workers.start()
    workers.reported(coil)
    workers.until(lambda: bool(handed_back))
    handed_back.clear()
    workers.append(frame(coil, 1))
    workers.reported(coil, revision=2)
    workers.until(lambda: bool(handed_back))


def test_records_that_say_nothing_new_revise_nothing(workers: Workers, coil: str) -> None:
    log = log_of(coil, [0, 1], count=2)
    workers.start()
    workers.append(*log)
    before = workers.reported(coil)
    workers.append(*log, frame(coil, 0, OTHER))
    workers.until(lambda: workers.in_hand(coil))
    workers.until(lambda: not workers.in_hand(coil))
    assert workers.store.read(LINE, coil) == before
    assert len(workers.announced(coil)) == 1
    workers.start()
    other = f"{coil}-other"
    workers.append(*log_of(other, [0], count=1))
    workers.reported(other)
    assert not workers.in_hand(coil), "the offsets behind them are committed"


def test_a_foreign_record_in_the_log_of_a_coil_is_passed_over(
    workers: Workers, coil: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The name of its header is no UTF-8; read anew for a late frame, too."""
    log = log_of(coil, [0, 2], count=3)
    workers.start()
    workers.append(log[0])
    name = NameInBytes(b"\xff")
    workers.producer.send(INSPECTIONS_TOPIC, b"nobody's", key_bytes(coil_key(log[0])), [(name, b"")])
    workers.append(*log[1:])
    try:
        workers.reported(coil)
        workers.append(frame(coil, 1))
        assert workers.reported(coil, revision=2).closed == "complete"
    finally:
        drop_records(workers.kafka, INSPECTIONS_TOPIC)
    assert caplog.text.count("skipped offset") == 2


def test_a_late_frame_with_other_pixels_is_a_conflict(workers: Workers, coil: str) -> None:
    workers.start()
    workers.append(*log_of(coil, [0, 1], count=2))
    workers.reported(coil)
    workers.append(inspection(0, coil=coil, digest="ff" * 16))
    after = workers.reported(coil, revision=2)
    assert (after.conflicts, after.revisions[0].reason) == (1, "1 late conflict")
    assert len(after.events) == 2


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_every_commit_makes_the_same_revisions(
    workers: Workers, coil: str, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Each life ends one commit later than the one before it: in reading, closing, reporting, revising."""
    first, late = log_of(coil, [0, 2], count=3), frame(coil, 1)

    def live(commits: int) -> None:
        loop = workers.start()
        real, left = loop._producer.commit_transaction, [commits]

        def commit() -> None:
            left[0] -= 1
            if left[0] < 0 and not committed:
                raise KilledError
            real()
            if left[0] < 0:
                raise KilledError

        monkeypatch.setattr(loop._producer, "commit_transaction", commit)

    def reported(revision: int) -> None:
        for commits in range(8):
            live(commits)
            try:
                workers.until(lambda: revision in [report.revision for report in workers.announced(coil)])
            except KilledError:
                continue
            return
        raise AssertionError("it was not reported")

    workers.append(*first)
    reported(1)
    closing = CoilClosed(line=LINE, coil=coil, run=1, reason="grace time passed")
    folder = Path(workers.store.folder(LINE, coil, 1))
    assert (folder / "report.json").read_bytes() == calm(first, closing)
    workers.append(late)
    reported(2)
    second = closing.model_copy(update={"revision": 2, "reason": "complete"})
    assert (folder / "report.json").read_bytes() == calm([*first, closing, late], second)
    assert (folder / "revision-1" / "report.json").read_bytes() == calm(first, closing)
    assert [report.revision for report in workers.announced(coil)] == sorted(
        report.revision for report in workers.announced(coil)
    )


def test_inspections_asked_for_with_another_model_revise(workers: Workers, coil: str) -> None:
    first = [*log_of(coil, [0, 1], count=3), unreadable(2, coil=coil)]
    workers.start(grace_s=30.0)
    workers.append(*first)
    workers.reported(coil)
    request = CoilReopened(
        line=LINE, coil=coil, run=1, reason="inspected with csnet 2", model=OTHER.digest, frames=3
    )
    again = [frame(coil, sequence, OTHER) for sequence in range(3)]
    workers.append(request, *again)
    after = workers.reported(coil, revision=2)
    assert after.models == (OTHER,)
    assert [event.id for event in after.events] == [record.findings[0].id for record in again]
    assert after.revisions[0].reason == "inspected with csnet 2, 3 frames inspected again"
    assert after.closed == "complete"


def test_coils_that_cross_and_ids_that_come_again_stay_apart(workers: Workers, coil: str) -> None:
    head, tail = f"{coil}-head", f"{coil}-tail"
    logs = [log_of(tail, range(3), count=3), log_of(head, range(4), count=4)]
    logs.append(log_of(head, range(2), count=2, run=2))
    workers.start()
    for row in range(6):
        workers.append(*(log[row] for log in logs if row < len(log)))
    workers.until(lambda: all(workers.revision(*key) for key in ((tail,), (head,), (head, 2))))
    for log in logs:
        _, name, run = coil_key(log[0])
        closing = CoilClosed(line=LINE, coil=name, run=run, reason="complete")
        assert report_json(workers.store.read(LINE, name, run)) == calm(log, closing)


@pytest.mark.parametrize(
    ("records", "holes", "sent"),
    [
        (
            [opened("left", "right"), inspection(0), closed(1)],
            [("right", "never started", 0)],
            1,
        ),
        ([opened("left"), inspection(0)], [], 1),
        (
            [opened("left"), inspection(0), closed(1), closed(2, "right")],
            [("left", "no frame", 0), ("right", "missing", 2)],
            3,
        ),
    ],
    ids=["a camera never starts", "a coil never closes", "a camera that nobody announced"],
)
def test_a_coil_that_does_not_end_as_it_should_is_held(
    workers: Workers,
    coil: str,
    records: list[CoilOpened | Inspection | CameraClosed],
    holes: list[tuple[str, str, int]],
    sent: int,
) -> None:
    workers.start(idle_s=1.0)
    workers.append(*(record.model_copy(update={"coil": coil}) for record in records))
    report = workers.reported(coil)
    assert [(hole.camera, hole.reason, hole.frames) for hole in report.holes] == holes
    assert sum(camera.sent for camera in report.cameras) == sent
    assert report.closed != "complete"
    assert report.grade.decision != "release"


def test_a_report_waits_for_its_store_and_holds_up_nothing(workers: Workers, coil: str) -> None:
    workers.reports.write_text("a file where the store should be")
    loop = workers.start()
    other = f"{coil}-other"
    workers.append(*log_of(coil, [0, 1], count=2), opened(coil=other))
    workers.until(lambda: workers.in_hand(coil) and bool(loop._outbox._waiting))
    workers.append(frame(other, 0))
    workers.until(lambda: loop._open[LINE, other, 1].account.counts.inspected == 1)
    assert workers.announced(coil) == []

    workers.start()
    workers.until(lambda: workers.in_hand(coil))
    workers.append(frame(coil, 2))
    workers.reports.unlink()
    report = workers.reported(coil, revision=2)
    assert [announced.revision for announced in workers.announced(coil)] == [1, 2]
    assert report.revisions[0].reason == "1 late frame"


def test_a_store_that_hangs_stops_no_coil(
    workers: Workers, coil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither answers nor fails, and goes on when the coil is with another worker already."""
    answers = threading.Event()
    write = workers.store.write
    began: list[str] = []

    def hang(report: CoilReport, delivery: Delivery) -> ReportLocation:
        began.append(report.coil)
        if report.coil == coil and not answers.wait(DEADLINE_S):
            raise AssertionError("it was not woken")
        return write(report, delivery)

    monkeypatch.setattr(workers.store, "write", hang)
    other = f"{coil}-other"
    workers.start()
    workers.append(*log_of(coil, [0, 1], count=2), *log_of(other, [0, 1], count=2))
    workers.reported(other)
    assert (workers.in_hand(coil), workers.announced(coil)) == (True, [])

    workers.start()
    workers.until(lambda: workers.in_hand(coil))
    workers.append(frame(coil, 2))
    workers.until(lambda: workers.inspected(coil) == 3)
    assert began.count(coil) == 1, "one write of a coil at a time"
    answers.set()
    report = workers.reported(coil, revision=2)
    assert [announced.revision for announced in workers.announced(coil)] == [1, 2]
    assert report.revisions[0].reason == "1 late frame"


def test_a_clock_that_is_set_back_changes_nothing_in_the_report(
    workers: Workers, coil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's times of the records, and the worker's own, go back an hour in mid-coil."""
    log = log_of(coil, [0, 1, 2], count=3)
    now = datetime.now(UTC)
    loop = workers.start()
    monkeypatch.setattr(loop, "_now", lambda: now - timedelta(hours=1))
    workers.append(*log[:2])
    workers.until(lambda: workers.inspected(coil) == 1)
    for record in log[2:]:
        key, timestamp_ms = key_bytes(coil_key(record)), int((now.timestamp() - 3600) * 1000)
        workers.producer.send(INSPECTIONS_TOPIC, record.to_json(), key, timestamp_ms=timestamp_ms)
    report = workers.reported(coil)
    assert report_json(report) == calm(log, CoilClosed(line=LINE, coil=coil, run=1, reason="complete"))


@pytest.mark.parametrize("openings", [0, 1], ids=["a late frame", "an opening that comes again, too"])
def test_a_report_that_is_seen_after_the_offsets_behind_it_is_revised_soon(
    workers: Workers, coil: str, monkeypatch: pytest.MonkeyPatch, openings: int
) -> None:
    """Both are committed in one transaction of the worker before; each partition shows it when it learns."""
    monkeypatch.setattr(coil_loop, "LOOK_AGAIN_S", GRACE_S)
    log = log_of(coil, [0, 1, 3], count=4)
    workers.start()
    workers.append(*log)
    workers.reported(coil)
    loop = workers.start()
    with monkeypatch.context() as not_yet:
        not_yet.setattr(loop._history, "reported", lambda _key: None)
        workers.append(*log[:openings], frame(coil, 2))
        workers.until(lambda: workers.in_hand(coil))
        loop.step()
    assert workers.reported(coil, revision=2).closed == "complete"


def test_late_frames_of_a_coil_whose_log_is_gone_are_left_out(
    workers: Workers, coil: str, caplog: pytest.LogCaptureFixture
) -> None:
    loop = workers.start()
    workers.append(*log_of(coil, [0, 1], count=2))
    before = workers.reported(coil)
    (place,) = workers.announced(coil)[-1].log
    admin = KafkaAdminClient(**workers.kafka.client_options())
    admin.delete_records({TopicPartition(INSPECTIONS_TOPIC, place.partition): place.last})
    admin.close()
    workers.append(frame(coil, 2))
    workers.until(lambda: "late records are left out" in caplog.text)
    assert not workers.in_hand(coil)
    loop.step()
    assert workers.store.read(LINE, coil) == before


@pytest.mark.slow
def test_a_coil_of_ten_thousand_frames_is_in_hand_again_within_ten_seconds() -> None:
    assert measure(10_000).restart_s < 10
