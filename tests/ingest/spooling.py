"""Entries and disks for the tests of the spool."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ingest.records import CameraBand, CameraClosed, CoilOpened, FrameHeader, bytes_digest
from ingest.spool_entry import Entry, Handed

TRACE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"


def header(sequence: int, camera: str = "a", coil: str = "C1") -> FrameHeader:
    return FrameHeader(
        line="line-1",
        coil=coil,
        side="top",
        camera=camera,
        sequence=sequence,
        along_mm=10.0 * sequence,
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=10,
        width=10,
        encoding="raw",
        digest=bytes_digest(bytes([sequence % 256]) * 100),
    )


def opened(*cameras: str, coil: str = "C1") -> CoilOpened:
    bands = tuple(
        CameraBand(side="top", camera=camera, across_mm=0, columns=10, mm_per_row=1, mm_per_column=1)
        for camera in cameras or ("a",)
    )
    return CoilOpened(line="line-1", coil=coil, cameras=bands)


def closed(frames: int, camera: str = "a", coil: str = "C1") -> CameraClosed:
    fields = {"line": "line-1", "coil": coil, "side": "top", "camera": camera}
    return CameraClosed(**fields, frames=frames, end_mm=10.0 * frames)


def entry(record: Handed, size: int = 100, handed_at_ms: int = 0) -> Entry:
    data = bytes([record.sequence % 256]) * size if isinstance(record, FrameHeader) else b""
    return Entry(record, data, TRACE, handed_at_ms)


class Disk:
    """Writes like `os.pwrite`; once it is full, half of a write still fits."""

    def __init__(self) -> None:
        self.full = False
        self._pwrite = os.pwrite

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self.full:
            half = len(data) // 2
            self._pwrite(descriptor, data[:half], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._pwrite(descriptor, data, offset)


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.spool"))
