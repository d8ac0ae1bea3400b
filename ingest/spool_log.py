"""An append-only file of records, each with its length and checksum: a torn tail shows and is cut off.

A record is `magic, payload bytes, CRC-32, number`, little-endian, and its payload. The checksum covers number
and payload.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ingest.errors import SpoolError

_HEAD = struct.Struct("<4sIIQ")
_NUMBER = struct.Struct("<Q")
_MAGIC = b"CwS1"
HEAD_BYTES = _HEAD.size
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""Four times the largest frame: a length beyond it is damage, and not worth the memory to find out."""

Open = Callable[[Path, int], int]
"""Opens a file with the flags of `os.open` and gives its descriptor."""


def open_file(path: Path, flags: int) -> int:
    """Open a file that only this user reads: frames are nobody else's business."""
    return os.open(path, flags, 0o600)


class LogRecord(NamedTuple):
    """One record: its number, its payload, and the offset of the byte after it."""

    number: int
    payload: bytes
    end: int


class RecordLog:
    """One such file, open for appending and reading. What is torn or damaged at its end is cut on opening.

    Args:
        path: the file; made when it is not there.
        open_with: how files are opened.

    Attributes:
        size_bytes: of the whole records.
        cut_bytes: how much was cut off on opening.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, open_with: Open = open_file) -> None:
        self.path = path
        self._file = open_with(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        on_disk = os.fstat(self._file).st_size
        self.size_bytes = on_disk
        self.size_bytes = self._end_of_whole_records()
        self.cut_bytes = on_disk - self.size_bytes
        if self.cut_bytes:
            os.ftruncate(self._file, self.size_bytes)

    def append(self, number: int, *parts: bytes) -> None:
        """Write a record at the end; it is durable after the next sync.

        Raises:
            OSError: it was not written, and nothing of it is left in the file.
        """
        length = sum(map(len, parts))
        checksum = zlib.crc32(_NUMBER.pack(number))
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        waiting = memoryview(b"".join([_HEAD.pack(_MAGIC, length, checksum, number), *parts]))
        offset = self.size_bytes
        try:
            while waiting:
                written = os.pwrite(self._file, waiting, offset)
                offset += written
                waiting = waiting[written:]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes = offset

    def read(self, offset: int) -> LogRecord:
        """The record that begins at an offset.

        Raises:
            SpoolError: none begins there, or it is damaged.
        """
        record = self._read(offset)
        if record is None:
            raise SpoolError(f"{self.path}: damaged at byte {offset}")
        return record

    def records(self) -> Iterator[LogRecord]:
        """Every record.

        Raises:
            SpoolError: one is damaged.
        """
        offset = 0
        while offset < self.size_bytes:
            record = self.read(offset)
            yield record
            offset = record.end

    def find(self, number: int, offset: int = 0) -> int | None:
        """Where the first record of at least this number begins; payloads are not read."""
        while offset < self.size_bytes:
            head = os.pread(self._file, HEAD_BYTES, offset)
            _, length, _, found = _HEAD.unpack(head)
            if found >= number:
                return offset
            offset += HEAD_BYTES + length
        return None

    def sync(self) -> None:
        """Make everything appended durable."""
        os.fdatasync(self._file)

    def descriptor(self) -> int:
        """A descriptor of its own to sync by while another thread may close the file; close it afterwards."""
        return os.dup(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _end_of_whole_records(self) -> int:
        end = 0
        while (record := self._read(end)) is not None:
            end = record.end
        return end

    def _read(self, offset: int) -> LogRecord | None:
        head = os.pread(self._file, HEAD_BYTES, offset)
        if len(head) < HEAD_BYTES:
            return None
        magic, length, checksum, number = _HEAD.unpack(head)
        end = offset + HEAD_BYTES + length
        if magic != _MAGIC or length > MAX_PAYLOAD_BYTES or end > self.size_bytes:
            return None
        payload = os.pread(self._file, length, offset + HEAD_BYTES)
        if zlib.crc32(payload, zlib.crc32(_NUMBER.pack(number))) != checksum:
            return None
        return LogRecord(number, payload, end)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: a synced file whose name is lost is lost."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
