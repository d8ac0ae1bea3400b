"""The outbox alone: the test takes the parts of source, sender and disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.errors import SpoolError
from ingest.records import CameraClosed, DroppedFrames, FrameHeader
from ingest.spool import Spool
from ingest.spool_entry import Entry, Handed
from ingest.spool_marks import Marks
from ingest.spool_outbox import Outbox, WhenFull
from tests.ingest.spooling import Disk, closed, entry, files, header, opened

SOON_S = 0.0
NEVER_S = 1e6
CAMERAS = ("a", "b")


class Edge:
    """An outbox on a directory, and what Kafka would have got from it."""

    def __init__(
        self,
        directory: Path,
        *,
        limit_bytes: int = 1_000_000,
        when_full: WhenFull = "block",
        window_bytes: int = 100_000,
        spool_after_s: float = NEVER_S,
    ) -> None:
        self.spool = Spool(directory, limit_bytes=limit_bytes)
        self.marks = Marks(directory / "marks.log")
        self.outbox = Outbox(
            self.spool,
            self.marks,
            when_full=when_full,
            window_bytes=window_bytes,
            spool_after_s=spool_after_s,
            now=lambda: 100.0,
        )
        self.in_flight: dict[int, Entry] = {}

    def send(self) -> Entry | None:
        found = self.outbox.next_to_send(0)
        if found is None:
            return None
        self.in_flight[found[0]] = found[1]
        return found[1]

    def send_all(self) -> list[Handed]:
        """Send and deliver everything, as a Kafka does that is well."""
        came = []
        while (sent := self.send()) is not None:
            came.append(sent.record)
            for number in list(self.in_flight):
                self.deliver(number)
        return came

    def deliver(self, number: int) -> Entry:
        self.outbox.delivered(number)
        return self.in_flight.pop(number)

    def die(self) -> None:
        """End as `kill -9` does: nothing more is written."""
        self.marks.close()
        self.spool.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_while_kafka_keeps_up_nothing_is_on_disk(folder: Path) -> None:
    edge = Edge(folder)
    records = [opened(), *map(header, range(5)), closed(5)]
    for record in records:
        edge.outbox.put(entry(record))
    assert edge.outbox.backlog.frames == 5
    assert not edge.outbox.wait_acknowledged(0)
    assert edge.send_all() == records
    assert edge.outbox.wait_acknowledged(0)
    assert edge.outbox.wait_delivered(0)
    assert files(folder) == []
    assert edge.outbox.runs("line-1", "C1") == {}
    edge.die()


def test_a_control_record_travels_alone(folder: Path) -> None:
    edge = Edge(folder)
    for record in (header(0), closed(1), header(1)):
        edge.outbox.put(entry(record))
    assert edge.send() is not None
    assert edge.send() is None
    edge.deliver(0)
    assert isinstance(getattr(edge.send(), "record", None), CameraClosed)
    assert edge.send() is None
    edge.deliver(1)
    assert getattr(edge.send(), "record", None) == header(1)
    edge.die()


def test_what_kafka_does_not_take_in_time_goes_to_disk_in_order(folder: Path) -> None:
    edge = Edge(folder, spool_after_s=SOON_S)
    for sequence in range(3):
        edge.outbox.put(entry(header(sequence)))
    edge.send()
    assert not edge.outbox.is_acknowledged(header(0))
    edge.outbox.keep(0)
    assert edge.outbox.is_acknowledged(header(2))
    assert edge.outbox.wait_acknowledged(0)
    edge.outbox.put(entry(header(3)))
    assert len(files(folder)) == 1
    edge.outbox.send_again("no broker")
    assert edge.outbox.backlog.waiting_for == "no broker"
    assert edge.outbox.backlog.age_s == 100
    assert edge.send_all() == [header(sequence) for sequence in range(4)]
    assert files(folder) == []
    assert (
        edge.outbox.backlog.frames == edge.outbox.backlog.data_bytes == edge.outbox.backlog.spooled_bytes == 0
    )
    edge.die()


def test_what_is_sent_again_counts_once(folder: Path) -> None:
    edge = Edge(folder, spool_after_s=SOON_S)
    for sequence in range(3):
        edge.outbox.put(entry(header(sequence)))
    edge.outbox.keep(0)
    assert all(edge.send() for _ in range(3))
    for number in (1, 2):
        edge.deliver(number)
    edge.outbox.send_again("no broker")
    edge.in_flight.clear()
    assert edge.outbox.backlog.frames == 1
    edge.send_all()
    assert (edge.outbox.backlog.frames, edge.outbox.backlog.data_bytes) == (0, 0)
    edge.die()


def test_a_full_memory_goes_to_disk(folder: Path) -> None:
    edge = Edge(folder, window_bytes=250, spool_after_s=0.01)
    for sequence in range(3):
        edge.outbox.put(entry(header(sequence)))
    assert files(folder)
    edge.outbox.keep(0)
    edge.outbox.put(entry(header(3)))
    assert edge.send_all() == [header(sequence) for sequence in range(4)]
    edge.die()


def test_what_is_under_way_stays_in_its_window(folder: Path) -> None:
    edge = Edge(folder, window_bytes=250, spool_after_s=SOON_S)
    for sequence in range(9):
        edge.outbox.put(entry(header(sequence)))
        edge.outbox.keep(0)
    assert edge.send()
    assert edge.send()
    assert edge.send() is None
    edge.deliver(0)
    assert edge.send()
    edge.die()


def test_one_that_dies_is_followed_by_one_that_goes_on(folder: Path) -> None:
    edge = Edge(folder)
    for record in (opened(), *map(header, range(4))):
        edge.outbox.put(entry(record))
    for _ in range(4):
        edge.send()
        edge.deliver(0) if 0 in edge.in_flight else None
    for number in (1, 3):
        edge.deliver(number)
    edge.die()
    edge = Edge(folder)
    assert edge.outbox.is_acknowledged(opened())
    assert [edge.outbox.is_acknowledged(header(at)) for at in range(4)] == [True, False, False, False]
    assert edge.outbox.runs("line-1", "C1") == {1: True}
    edge.outbox.forget(("line-1", "C1", 1))
    assert not edge.outbox.is_acknowledged(header(0))
    edge.die()


def test_one_that_dies_with_a_full_spool_is_followed_by_one_that_sends_it(folder: Path) -> None:
    edge = Edge(folder, spool_after_s=SOON_S)
    records = [opened(), *map(header, range(4)), closed(4)]
    for record in records:
        edge.outbox.put(entry(record))
        edge.outbox.keep(0)
    edge.die()
    edge = Edge(folder)
    assert edge.outbox.backlog.frames == 4
    assert all(map(edge.outbox.is_acknowledged, records))
    assert edge.outbox.runs("line-1", "C1") == {1: False}
    assert edge.send_all() == records
    assert edge.outbox.runs("line-1", "C1") == {}
    edge.die()
    edge = Edge(folder)
    assert edge.send_all() == []
    edge.die()


def test_a_closing_on_disk_is_acknowledged_without_a_frame_behind_it(folder: Path) -> None:
    edge = Edge(folder, spool_after_s=SOON_S)
    for record in (header(0), closed(1)):
        edge.outbox.put(entry(record))
        edge.outbox.keep(0)
    assert edge.outbox.wait_acknowledged(0)
    edge.die()


def test_at_the_limit_the_oldest_frames_go_and_the_closing_says_so(folder: Path) -> None:
    edge = Edge(folder, limit_bytes=4_000, when_full="drop-oldest", spool_after_s=SOON_S)
    records = [opened(), *map(header, range(20)), closed(20)]
    for record in records:
        edge.outbox.put(entry(record))
        edge.outbox.keep(0)
    came = edge.send_all()
    frames = [record.sequence for record in came if isinstance(record, FrameHeader)]
    dropped = 20 - len(frames)
    assert frames == list(range(dropped, 20))
    assert 0 < dropped < 20
    assert came[0] == opened()
    expected = DroppedFrames(first=0, last=dropped - 1, reason="spool full")
    assert came[-1] == closed(20).model_copy(update={"dropped": (expected,)})
    assert edge.outbox.backlog.dropped == dropped
    edge.die()


def test_at_the_limit_the_source_waits_until_kafka_has_taken_some(folder: Path) -> None:
    edge = Edge(folder, limit_bytes=4_000, spool_after_s=SOON_S)

    def hand_over() -> None:
        for record in (*map(header, range(20)), closed(20)):
            edge.outbox.put(entry(record))

    source = threading.Thread(target=hand_over, daemon=True)
    source.start()
    came: list[Handed] = []
    while len(came) < 21:
        edge.outbox.keep(0)
        came += edge.send_all()
        assert edge.outbox.backlog.spooled_bytes <= 4_000
    source.join(10)
    assert came == [*map(header, range(20)), closed(20)]
    edge.die()


def test_a_full_disk_is_one_clear_error_and_everything_before_it_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    edge = Edge(folder, spool_after_s=SOON_S)
    for sequence in range(3):
        edge.outbox.put(entry(header(sequence)))
        edge.outbox.keep(0)
    disk.full = True
    message = f"^spool {folder}: No space left on device; frame 3 of C1 top/a was not taken$"
    with pytest.raises(SpoolError, match=message):
        edge.outbox.put(entry(header(3)))
    edge.outbox.keep(0)
    with pytest.raises(SpoolError, match=message):
        edge.outbox.put(entry(header(4)))
    edge.die()
    disk.full = False
    edge = Edge(folder)
    assert [edge.outbox.is_acknowledged(header(sequence)) for sequence in range(4)] == [True] * 3 + [False]
    assert edge.send_all() == [header(sequence) for sequence in range(3)]
    edge.die()


def test_what_a_full_disk_does_not_take_of_the_memory_is_not_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    edge = Edge(folder, spool_after_s=SOON_S)
    for sequence in range(3):
        edge.outbox.put(entry(header(sequence)))
    edge.send()
    edge.deliver(0)
    disk.full = True
    with pytest.raises(SpoolError, match=r"frame 1 of C1 top/a was not taken$"):
        edge.outbox.keep(0)
    with pytest.raises(SpoolError):
        edge.outbox.wait_acknowledged(0)
    disk.full = False
    edge.outbox.to_disk()
    edge.die()
    edge = Edge(folder)
    assert [edge.outbox.is_acknowledged(header(sequence)) for sequence in range(3)] == [True, False, False]
    edge.die()


def test_on_a_full_disk_frames_may_be_dropped_and_are_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    edge = Edge(folder, when_full="drop-oldest", spool_after_s=SOON_S)
    for sequence in range(2):
        edge.outbox.put(entry(header(sequence)))
        edge.outbox.keep(0)
    disk.full = True
    edge.outbox.put(entry(header(2)))
    edge.outbox.put(entry(header(3)))  # the spool is empty now: memory takes it
    disk.full = False
    edge.outbox.keep(0)
    edge.outbox.put(entry(closed(4)))
    dropped = DroppedFrames(first=0, last=2, reason="disk full")
    assert edge.send_all() == [header(3), closed(4).model_copy(update={"dropped": (dropped,)})]
    assert edge.outbox.backlog.dropped == 3
    edge.die()


def test_a_failure_in_another_thread_ends_every_call(folder: Path) -> None:
    edge = Edge(folder)
    edge.outbox.put(entry(header(0)))
    edge.outbox.fail(SpoolError("the disk is broken"))
    edge.outbox.fail(SpoolError("something later"))
    for call in (
        lambda: edge.outbox.put(entry(header(1))),
        edge.outbox.wait_acknowledged,
        edge.outbox.wait_delivered,
    ):
        with pytest.raises(SpoolError, match=r"^the disk is broken$"):
            call()
    edge.die()


class EdgeMachine(RuleBasedStateMachine):
    """Whatever Kafka and the power do, an acknowledged frame reaches Kafka or is named as dropped."""

    @initialize(small=st.booleans())
    def begin(self, small: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.options = {"limit_bytes": 3_000 if small else 1_000_000}
        self.acknowledged: set[tuple[str, int]] = set()
        self.in_kafka: list[tuple[str, int]] = []
        self.dropped: set[tuple[str, int]] = set()
        self.next = dict.fromkeys(CAMERAS, 0)
        self.edge = self.opened()

    def teardown(self) -> None:
        if hasattr(self, "edge"):
            self.edge.die()
            shutil.rmtree(self.folder)

    def opened(self) -> Edge:
        return Edge(
            self.folder, when_full="drop-oldest", window_bytes=600, spool_after_s=SOON_S, **self.options
        )

    @rule(camera=st.sampled_from(CAMERAS), size=st.integers(0, 300))
    def put(self, camera: str, size: int) -> None:
        self.edge.outbox._sync()
        self.edge.outbox.put(entry(header(self.next[camera], camera), size))
        self.next[camera] += 1

    @rule()
    def kafka_is_late(self) -> None:
        self.edge.outbox.keep(0)

    @rule()
    def send(self) -> None:
        self.edge.send()

    @precondition(lambda self: self.edge.in_flight)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.edge.in_flight)))
        self.note(self.edge.deliver(number))

    @rule()
    def producer_fails(self) -> None:
        self.edge.outbox.send_again("trouble")
        self.edge.in_flight.clear()

    @precondition(lambda self: self.edge.in_flight)
    @rule()
    def late_answer_of_a_failed_producer(self) -> None:
        under_way = dict(self.edge.in_flight)
        self.edge.outbox.send_again("trouble")
        for number, sent in under_way.items():
            self.edge.outbox.delivered(number)
            self.note(sent)
        self.edge.in_flight.clear()

    @rule()
    def die(self) -> None:
        self.edge.die()
        self.edge = self.opened()
        for camera in CAMERAS:
            while self.next[camera] and not self.is_acknowledged(camera, self.next[camera] - 1):
                self.next[camera] -= 1

    @invariant()
    def acknowledged_stays_acknowledged(self) -> None:
        for camera in CAMERAS:
            known = {at for name, at in self.acknowledged if name == camera}
            now = {at for at in range(self.next[camera]) if self.is_acknowledged(camera, at)}
            assert known <= now
            assert now == set(range(len(now)))
            self.acknowledged |= {(camera, at) for at in now}

    @rule()
    def kafka_takes_everything(self) -> None:
        for number in list(self.edge.in_flight):
            self.note(self.edge.deliver(number))
        while (sent := self.edge.send()) is not None:
            self.note(sent)
            for number in list(self.edge.in_flight):
                self.edge.deliver(number)
        assert self.edge.outbox.wait_delivered(0)
        backlog = self.edge.outbox.backlog
        assert (backlog.frames, backlog.data_bytes, backlog.spooled_bytes) == (0, 0, 0)
        gone = {
            (camera, at)
            for camera in CAMERAS
            for stretch in self.edge.marks.camera(header(0, camera)).dropped
            for at in range(stretch.first, stretch.last + 1)
        }
        assert self.acknowledged <= set(self.in_kafka) | gone

    def is_acknowledged(self, camera: str, sequence: int) -> bool:
        return self.edge.outbox.is_acknowledged(header(sequence, camera))

    def note(self, sent: Entry) -> None:
        assert isinstance(sent.record, FrameHeader)
        self.in_kafka.append((sent.record.camera, sent.record.sequence))


TestEdgeMachine = EdgeMachine.TestCase
TestEdgeMachine.settings = settings(max_examples=60, stateful_step_count=40)
