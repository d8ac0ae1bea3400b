"""The spool: numbered records on disk in the order of their numbers, bounded, in segments that come and go.

A segment is one `RecordLog`, named after its first number. A segment whose records are all delivered is
deleted; when room is needed the oldest one loses the records that may be dropped.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ingest.errors import SpoolError, SpoolInUseError
from ingest.spool_log import HEAD_BYTES, LogRecord, Open, RecordLog, open_file, sync_directory

SEGMENTS = 16
"""Parts of the limit that a segment takes: what one drop costs, and what is given back at once."""
MAX_SEGMENT_BYTES = 64 * 1024 * 1024
"""Larger ones only hold room longer after their first records were delivered."""
RESERVE_BYTES = 256 * 1024
"""The control records of one segment: a few hundred bytes a camera and coil."""
SUFFIX = ".spool"

Dropped = TypeVar("Dropped")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Segment:
    """One file of the spool.

    Attributes:
        first, last: numbers of its first and last record.
        only_kept: nothing in it may be dropped.
    """

    log: RecordLog
    first: int
    last: int
    only_kept: bool = False


class Spool:
    """Records on disk, oldest first. Not for several threads at once; a directory has one owner.

    Args:
        directory: made when it is not there.
        limit_bytes: bound of all records; one that is larger than the limit passes alone.
        open_with: how files are opened.

    Raises:
        SpoolInUseError: another process has this directory.
        SpoolError: the directory cannot be used.
    """

    def __init__(self, directory: Path, *, limit_bytes: int, open_with: Open = open_file) -> None:
        self.directory = directory
        self.limit_bytes = limit_bytes
        self._open = open_with
        self._segments: list[_Segment] = []
        self._place: tuple[_Segment, int, int] | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(directory / "lock")
            try:
                self._open_segments()
                self._make_reserve()
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise SpoolError(f"spool {directory}: {error.strerror or error}") from None

    @property
    def size_bytes(self) -> int:
        """Bytes of the records on disk."""
        return sum(segment.log.size_bytes for segment in self._segments)

    @property
    def last(self) -> int | None:
        """The highest number on disk; None while the spool is empty."""
        return self._segments[-1].last if self._segments else None

    def fits(self, payload_bytes: int) -> bool:
        """Whether one more record stays within the limit."""
        taken = self.size_bytes
        return taken == 0 or taken + HEAD_BYTES + payload_bytes <= self.limit_bytes

    def append(self, number: int, *parts: bytes) -> None:
        """Write a record behind all others; it is durable after the next sync.

        Raises:
            OSError: the disk is full or broken; nothing of the record was kept.
        """
        if self._segments and self._segments[-1].log.size_bytes >= self._segment_bytes:
            self._segments[-1].log.sync()
            self._segments.append(self._new_segment(number))
        elif not self._segments:
            self._segments.append(self._new_segment(number))
        try:
            self._segments[-1].log.append(number, *parts)
        except OSError:
            if self._segments[-1].log.size_bytes == 0:
                self._delete(self._segments[-1])
            raise
        self._segments[-1].last = number
        self._segments[-1].only_kept = False

    def descriptor(self) -> int:
        """A descriptor whose sync makes every record durable, to be closed; the spool is not empty."""
        return self._segments[-1].log.descriptor()

    def sync(self, descriptor: int) -> None:
        """Sync what a descriptor stands for, and close it; needs no lock, the spool may grow meanwhile.

        Raises:
            SpoolError: the disk did not take it.
        """
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            raise SpoolError(f"spool {self.directory}: not synced: {error.strerror}") from None
        finally:
            os.close(descriptor)

    def next_from(self, number: int) -> LogRecord | None:
        """The first record with at least this number; None where there is none.

        Raises:
            SpoolError: it is damaged.
        """
        for segment in self._segments:
            if segment.last < number:
                continue
            offset = segment.log.find(number, self._known_offset(segment, number))
            if offset is not None:
                record = segment.log.read(offset)
                self._place = segment, record.number, offset
                return record
        return None

    def records(self) -> Iterator[LogRecord]:
        """Every record, oldest first.

        Raises:
            SpoolError: one is damaged.
        """
        for segment in self._segments:
            yield from segment.log.records()

    def delete_before(self, number: int) -> bool:
        """Delete the segments whose records all have a lower number; whether there are any."""
        done = [segment for segment in self._segments if segment.last < number]
        for segment in done:
            self._delete(segment)
        return bool(done)

    def deletes_before(self, number: int) -> bool:
        """Whether `delete_before` would delete anything."""
        return bool(self._segments) and self._segments[0].last < number

    def droppable(self, describe: Callable[[LogRecord], Dropped | None]) -> list[Dropped]:
        """What the next `drop_oldest` would drop, described; empty where nothing may be.

        Args:
            describe: says what is dropped with a record, None for a record that must stay.
        """
        for segment in self._segments:
            if segment.only_kept:
                continue
            dropped = [found for found in map(describe, segment.log.records()) if found is not None]
            if dropped:
                return dropped
            segment.only_kept = True
        return []

    def drop_oldest(self, keep: Callable[[LogRecord], bool]) -> None:
        """Drop all records but those to keep from the oldest segment that has others.

        Raises:
            OSError: it could not be written anew; nothing was dropped.
        """
        segment = next(one for one in self._segments if not one.only_kept)
        self._place = None
        kept = [record for record in segment.log.records() if keep(record)]
        if not kept:
            self._delete(segment)
            return
        path = segment.log.path
        self._reserve.unlink(missing_ok=True)
        written = RecordLog(path.with_suffix(".new"), self._open)
        try:
            for record in kept:
                written.append(record.number, record.payload)
            written.sync()
            written.path.replace(path)
        except OSError:
            written.path.unlink(missing_ok=True)
            written.close()
            raise
        sync_directory(self.directory)
        segment.log.close()
        self._make_reserve()
        written.path = path
        segment.log, segment.last, segment.only_kept = written, kept[-1].number, True

    def close(self) -> None:
        """Close every file and let others have the directory."""
        for segment in self._segments:
            segment.log.close()
        self._segments.clear()
        os.close(self._lock)

    @property
    def _segment_bytes(self) -> int:
        return min(MAX_SEGMENT_BYTES, max(1, self.limit_bytes // SEGMENTS))

    def _known_offset(self, segment: _Segment, number: int) -> int:
        if self._place is None:
            return 0
        known, at_number, offset = self._place
        return offset if known is segment and at_number <= number else 0

    def _new_segment(self, number: int) -> _Segment:
        segment = _Segment(RecordLog(self.directory / f"{number:020}{SUFFIX}", self._open), number, number)
        sync_directory(self.directory)
        return segment

    @property
    def _reserve(self) -> Path:
        return self.directory / "reserve"

    def _make_reserve(self) -> None:
        """Take room beforehand for what a segment that is dropped on a full disk must keep."""
        with suppress(OSError):
            descriptor = self._open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)

    def _delete(self, segment: _Segment) -> None:
        self._segments.remove(segment)
        segment.log.path.unlink()
        segment.log.close()
        if self._place and self._place[0] is segment:
            self._place = None

    def _open_segments(self) -> None:
        for unfinished in self.directory.glob("*.new"):
            unfinished.unlink()
        paths = sorted(self.directory.glob(f"*{SUFFIX}"))
        for path in paths:
            opened = RecordLog(path, self._open)
            if opened.cut_bytes:
                kind = "an unfinished record" if path is paths[-1] else "a damaged end"
                log.warning("spool %s: cut %s of %d bytes", path, kind, opened.cut_bytes)
            numbers = [record.number for record in opened.records()]
            if numbers:
                self._segments.append(_Segment(opened, numbers[0], numbers[-1]))
            else:
                opened.close()
                path.unlink()


def _locked(path: Path) -> int:
    descriptor = open_file(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise SpoolInUseError(f"spool {path.parent} is in use by process {owner}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
