"""Which entries the source may forget: taken in order, acknowledged in order, marked as such."""

from __future__ import annotations

from collections import deque

from ingest.records import CameraClosed, CoilKey, CoilOpened, FrameHeader, coil_key
from ingest.spool_entry import Entry, Handed
from ingest.spool_marks import Marks


class Acknowledgements:
    """Entries taken from the source and not acknowledged to it.

    Args:
        marks: told of every acknowledged entry.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._open: deque[tuple[int, Handed]] = deque()
        self._lost: int | None = None

    def __bool__(self) -> bool:
        return bool(self._open)

    def expect(self, number: int, entry: Entry) -> None:
        """An entry was taken."""
        self._open.append((number, entry.record))

    def lose(self, number: int) -> None:
        """An entry could not be kept: neither it nor any behind it is acknowledged any more."""
        self._lost = number if self._lost is None else min(number, self._lost)

    def acknowledge_before(self, number: int) -> None:
        """Entries with lower numbers are in Kafka or safely on disk."""
        number = number if self._lost is None else min(number, self._lost)
        acknowledged = []
        while self._open and self._open[0][0] < number:
            acknowledged.append(self._open.popleft()[1])
        self.mark(acknowledged)

    def mark(self, records: list[Handed]) -> None:
        """Mark records as acknowledged, of frames the last one of each camera."""
        last: dict[tuple[CoilKey, str, str], FrameHeader] = {}
        for record in records:
            if isinstance(record, FrameHeader):
                last[coil_key(record), record.side, record.camera] = record
            elif isinstance(record, CoilOpened):
                self._marks.opened(record)
            elif isinstance(record, CameraClosed):
                self._marks.closed(record, delivered=False)
        self._marks.frames(last.values())
