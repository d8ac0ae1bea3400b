from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import SpoolError
from ingest.spool_log import HEAD_BYTES, RecordLog
from tests.ingest.spooling import Disk

PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=8)


def written(path: Path, payloads: list[bytes]) -> None:
    log = RecordLog(path)
    for number, payload in enumerate(payloads):
        log.append(number, payload[:3], payload[3:])
    log.close()


def read(path: Path) -> list[tuple[int, bytes]]:
    log = RecordLog(path)
    try:
        return [(record.number, record.payload) for record in log.records()]
    finally:
        log.close()


@given(payloads=PAYLOADS)
def test_what_was_written_is_read(payloads: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        written(path, payloads)
        assert read(path) == list(enumerate(payloads))


@given(payloads=PAYLOADS, data=st.data())
def test_a_torn_tail_is_cut_and_whole_records_stay(payloads: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        written(path, payloads)
        ends = [0]
        for payload in payloads:
            ends.append(ends[-1] + HEAD_BYTES + len(payload))
        size = data.draw(st.integers(0, ends[-1]))
        os.truncate(path, size)
        whole = sum(end <= size for end in ends) - 1
        assert read(path) == list(enumerate(payloads[:whole]))
        assert path.stat().st_size == ends[whole]


@given(payloads=PAYLOADS, data=st.data())
def test_a_flipped_bit_never_becomes_a_record(payloads: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        written(path, payloads)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        came = read(path)
        assert came == list(enumerate(payloads))[: len(came)]
        assert len(came) < len(payloads)


@given(garbage=st.binary(max_size=300))
def test_a_foreign_file_holds_no_record(garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(garbage)
        assert read(path) == []


def test_damage_that_comes_later_is_an_error(tmp_path: Path) -> None:
    written(tmp_path / "log", [b"one", b"two"])
    log = RecordLog(tmp_path / "log")
    with (tmp_path / "log").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    with pytest.raises(SpoolError, match="damaged at byte 23"):
        list(log.records())
    log.close()


def test_a_write_that_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    log = RecordLog(tmp_path / "log")
    log.append(0, b"first")
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        log.append(1, b"second")
    disk.full = False
    log.append(2, b"third")
    log.sync()
    log.close()
    assert read(tmp_path / "log") == [(0, b"first"), (2, b"third")]


def test_finding_a_number_that_is_not_there_gives_the_next(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "log")
    for number in (3, 5, 9):
        log.append(number, b"")
    found = {number: log.find(number) for number in (0, 4, 5, 9, 10)}
    log.close()
    assert found == {0: 0, 4: HEAD_BYTES, 5: HEAD_BYTES, 9: 2 * HEAD_BYTES, 10: None}
