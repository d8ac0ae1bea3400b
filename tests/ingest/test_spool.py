from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.errors import SpoolError, SpoolInUseError
from ingest.spool import Spool
from ingest.spool_log import HEAD_BYTES, LogRecord
from tests.ingest.spooling import files

LIMIT = 16 * 100
KEPT = b"K"


def numbers(spool: Spool) -> list[int]:
    return [record.number for record in spool.records()]


def droppable(record: LogRecord) -> int | None:
    return None if record.payload.startswith(KEPT) else record.number


def is_kept(record: LogRecord) -> bool:
    return record.payload.startswith(KEPT)


class SpoolMachine(RuleBasedStateMachine):
    """Append, deliver, drop, die with a torn tail, open again: never loses or invents a record."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.spool = Spool(self.folder, limit_bytes=LIMIT)
        self.model: dict[int, bytes] = {}
        self.next = 0
        self.delivered = 0

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.folder)

    @rule(size=st.integers(0, 250), kept=st.booleans(), skip=st.integers(0, 2))
    def append(self, size: int, kept: bool, skip: int) -> None:
        payload = (KEPT if kept else b"f") + bytes(size)
        self.next += skip
        self.spool.append(self.next, payload[:1], payload[1:])
        self.model[self.next] = payload
        self.next += 1

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.delivered = data.draw(st.integers(self.delivered, self.next))
        self.spool.delete_before(self.delivered)
        left = set(numbers(self.spool))
        assert {number for number in self.model if number >= self.delivered} <= left
        self.model = {number: payload for number, payload in self.model.items() if number in left}

    @rule(number=st.integers(0, 60))
    def read(self, number: int) -> None:
        expected = min((known for known in self.model if known >= number), default=None)
        found = self.spool.next_from(number)
        assert (found.number if found else None) == expected
        assert found is None or found.payload == self.model[found.number]

    @rule()
    def drop(self) -> None:
        dropped = self.spool.droppable(droppable)
        may_go = [number for number, payload in sorted(self.model.items()) if not payload.startswith(KEPT)]
        assert dropped == may_go[: len(dropped)]
        assert bool(dropped) == bool(may_go)
        if dropped:
            self.spool.drop_oldest(is_kept)
            for number in dropped:
                del self.model[number]

    @rule()
    def die_and_begin_again(self) -> None:
        self.spool.close()
        self.spool = Spool(self.folder, limit_bytes=LIMIT)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def die_in_a_write(self, data: st.DataObject) -> None:
        """The power fails: of what was not synced, any part is left."""
        self.spool.close()
        last = self.folder / files(self.folder)[-1]
        number = max(self.model)
        whole = last.stat().st_size
        os.truncate(last, whole - data.draw(st.integers(1, HEAD_BYTES + len(self.model.pop(number)))))
        self.spool = Spool(self.folder, limit_bytes=LIMIT)

    @invariant()
    def holds_what_it_should(self) -> None:
        assert numbers(self.spool) == sorted(self.model)
        assert self.spool.last == (max(self.model) if self.model else None)
        assert self.spool.size_bytes == sum(HEAD_BYTES + len(payload) for payload in self.model.values())
        on_disk = sum(path.stat().st_size for path in self.folder.glob("*.spool"))
        assert on_disk == self.spool.size_bytes


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40)


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=LIMIT)
    with pytest.raises(SpoolInUseError, match=f"in use by process {os.getpid()}$") as caught:
        Spool(tmp_path / "spool", limit_bytes=LIMIT)
    assert caught.value.retriable
    spool.close()
    Spool(tmp_path / "spool", limit_bytes=LIMIT).close()


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match=r"^spool .*/file/spool: Not a directory$"):
        Spool(tmp_path / "file" / "spool", limit_bytes=LIMIT)


def test_one_that_could_not_begin_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_spool: Spool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "_make_reserve", full)
        with pytest.raises(SpoolError, match="No space left"):
            Spool(tmp_path / "spool", limit_bytes=LIMIT)
    Spool(tmp_path / "spool", limit_bytes=LIMIT).close()


def test_only_the_owner_may_read_the_frames(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit_bytes=LIMIT)
    spool.append(0, b"frame")
    modes = {path.stat().st_mode & 0o077 for path in [spool.directory, *spool.directory.iterdir()]}
    spool.close()
    assert modes == {0}


def test_the_limit_counts_every_record_and_lets_a_large_one_pass_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=100)
    assert spool.fits(1000)
    spool.append(0, bytes(100 - 2 * HEAD_BYTES))
    assert spool.fits(0)
    assert not spool.fits(1)
    spool.close()


def test_damage_within_is_cut_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, limit_bytes=LIMIT)
    for number in range(6):
        spool.append(number, bytes(100))
    spool.close()
    first = tmp_path / files(tmp_path)[0]
    first.write_bytes(b"\0" * first.stat().st_size)
    with caplog.at_level(logging.WARNING):
        spool = Spool(tmp_path, limit_bytes=LIMIT)
    assert numbers(spool) == [1, 2, 3, 4, 5]
    spool.close()
    assert "cut a damaged end of 120 bytes" in caplog.text
