from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest import spool_marks
from ingest.errors import SpoolError
from ingest.records import DroppedFrames
from ingest.spool_log import RecordLog
from ingest.spool_marks import Marks
from tests.ingest.spooling import Disk, closed, header, opened

RUN = ("line-1", "C1", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "marks.log"


def again(marks: Marks, path: Path) -> Marks:
    marks.close()
    return Marks(path)


def test_every_mark_is_there_after_a_death(path: Path) -> None:
    marks = Marks(path)
    marks.opened(opened("a", "b"))
    marks.frames([header(4), header(2, "b")])
    marks.frames([header(3)])
    marks.dropped(header(1), "spool full")
    marks.closed(closed(5), delivered=False)
    marks.delivered(17)
    marks = again(marks, path)
    assert marks.knows(opened("a", "b"))
    assert marks.camera(header(0)).next_sequence == 5
    assert marks.camera(header(0, "b")).next_sequence == 3
    assert marks.camera(header(0)).dropped == (DroppedFrames(first=1, last=1, reason="spool full"),)
    assert (marks.knows(closed(5)), marks.knows(closed(3, "b"))) == (True, False)
    assert marks.delivered_before == 17
    assert marks.runs("line-1", "C1") == {1: True}
    marks.close()


def test_a_coil_whose_closings_are_all_in_kafka_is_forgotten(path: Path) -> None:
    marks = Marks(path)
    marks.opened(opened("a", "b"))
    marks.frames([header(4)])
    for camera in ("a", "b"):
        marks.closed(closed(5, camera), delivered=False)
    assert marks.runs("line-1", "C1") == {1: False}
    marks.closed(closed(5, "a"), delivered=True)
    assert marks.runs("line-1", "C1") == {1: False}
    marks.closed(closed(5, "b"), delivered=True)
    marks = again(marks, path)
    assert marks.runs("line-1", "C1") == {}
    assert not marks.knows(header(0))
    marks.close()


def test_a_coil_that_was_taken_up_stays_known_to_who_reads_its_source_again(path: Path) -> None:
    marks = Marks(path)
    marks.opened(opened("a"))
    marks.frames([header(4)])
    marks.closed(closed(5), delivered=False)
    marks = again(marks, path)
    marks.closed(closed(5), delivered=True)
    assert marks.runs("line-1", "C1") == {}
    assert all(map(marks.knows, (opened("a"), header(4), closed(5))))
    assert not marks.knows(header(5))
    marks = again(marks, path)
    assert not any(map(marks.knows, (opened("a"), header(4), closed(5))))
    marks.close()


def test_neighbouring_drops_of_one_cause_are_one_stretch(path: Path) -> None:
    marks = Marks(path)
    for sequence in (0, 1, 2, 5):
        marks.dropped(header(sequence), "spool full")
    marks.dropped(header(6), "disk full")
    assert marks.camera(header(0)).dropped == (
        DroppedFrames(first=0, last=2, reason="spool full"),
        DroppedFrames(first=5, last=5, reason="spool full"),
        DroppedFrames(first=6, last=6, reason="disk full"),
    )
    marks.close()


def test_a_closing_stays_small_enough_for_its_topic(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_marks, "MOST_DROPS", 3)
    marks = Marks(path)
    for sequence in range(0, 10, 2):
        marks.dropped(header(sequence), "spool full")
    assert [stretch.first for stretch in marks.camera(header(0)).dropped] == [0, 2, 4]
    marks.close()


def test_the_journal_is_written_anew_when_it_is_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_marks, "COMPACT_BYTES", 2_000)
    marks = Marks(path)
    marks.opened(opened())
    for sequence in range(200):
        marks.frames([header(sequence)])
        assert path.stat().st_size < 2_500
    marks = again(marks, path)
    assert marks.camera(header(0)).next_sequence == 200
    assert marks.knows(opened())
    marks.close()


def test_a_full_disk_delays_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    marks = Marks(path)
    marks.frames([header(0)])
    disk.full = True
    marks.frames([header(1)])
    marks.dropped(header(0), "disk full")
    disk.full = False
    marks.delivered(3)
    marks = again(marks, path)
    assert marks.camera(header(0)).next_sequence == 2
    assert len(marks.camera(header(0)).dropped) == 1
    marks.close()


@pytest.mark.parametrize("payload", [b"{}", b"not JSON", b'{"kind":"camera","coil":"../x"}'])
def test_a_journal_of_something_else(path: Path, payload: bytes) -> None:
    log = RecordLog(path)
    log.append(0, payload)
    log.close()
    with pytest.raises(SpoolError, match=r"marks.log: not a journal of this version$"):
        Marks(path)
