"""What was handed over and is not in Kafka yet: in memory while Kafka keeps up, on disk when it does not.

Every entry has a number, and entries are sent in the order of their numbers. While Kafka acknowledges in
time they wait in memory only. When it does not, all that wait go to the spool, and what comes after them
too, until the spool has been emptied: so a camera's frames keep their order. A control record is sent
alone: after all before it, before all after it.

An entry is acknowledged to the source when Kafka has it or when its write to the spool has been synced.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import Literal

from ingest.errors import IngestError, SpoolError
from ingest.records import CameraClosed, CoilKey, DropReason, FrameHeader, name_of
from ingest.spool import Spool
from ingest.spool_acknowledgements import Acknowledgements
from ingest.spool_backlog import Backlog, InFlight, Tally
from ingest.spool_entry import Entry, Handed
from ingest.spool_log import LogRecord
from ingest.spool_marks import Marks

SPOOL_AFTER_S = 2.0
"""How long Kafka may take before frames go to disk: longer than the pauses of a healthy broker, and short
beside what the memory of a camera's machine holds."""
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

WhenFull = Literal["block", "drop-oldest"]


class Outbox:
    """Takes entries from the source's thread, gives them to the sender's; a third one calls `keep`.

    Args:
        spool: emptied before anything new is sent.
        marks: told what is acknowledged, dropped and delivered.
        when_full: at the spool's limit, wait or give up the oldest frames.
        window_bytes: what may wait in memory, or be under way to Kafka, at once.
        spool_after_s: how long an entry may wait for Kafka in memory.
        now: wall-clock seconds.

    Raises:
        SpoolError: the spool holds what is no entry.
    """

    def __init__(
        self,
        spool: Spool,
        marks: Marks,
        *,
        when_full: WhenFull,
        window_bytes: int,
        spool_after_s: float = SPOOL_AFTER_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._marks = marks
        self._when_full = when_full
        # What waits in memory must fit on the disk at once: it is written when Kafka is late.
        self._window_bytes = min(window_bytes, max(1, spool.limit_bytes // 2))
        self._spool_after_s = spool_after_s
        self._now = now
        self._changed = threading.Condition()
        self._failure: IngestError | None = None
        self._waiting_for: str | None = None
        self._memory: dict[int, tuple[Entry, float]] = {}
        self._memory_bytes = self._unsynced_bytes = 0
        self._acknowledgements = Acknowledgements(marks)
        self._tally = Tally()
        self._in_flight = InFlight()
        self._send_from = self._delivered = marks.delivered_before
        self._next = max(marks.delivered_before, -1 if spool.last is None else spool.last + 1)
        self._take_up_spool()

    # The source's thread.

    def put(self, entry: Entry) -> None:
        """Take an entry, waiting for room in memory or on disk.

        Raises:
            SpoolError: the disk does not take it, and nothing may be dropped.
            IngestError: what went wrong in another thread.
        """
        with self._changed:
            self._wait_for_room(entry)
            if not self._anything_waits:
                self._tally.oldest_at_ms = entry.handed_at_ms
            number, self._next = self._next, self._next + 1
            self._tally.taken(entry)
            self._acknowledgements.expect(number, entry)
            if self._spooling:
                self._append(number, entry)
            else:
                self._memory[number] = entry, time.monotonic()
                self._memory_bytes += len(entry.data)
            self._changed.notify_all()

    def wait_acknowledged(self, timeout_s: float | None = None) -> bool:
        """Wait until everything taken is acknowledged; whether that came about in time.

        Raises:
            IngestError: what went wrong in another thread.
        """
        return self._wait(lambda: not self._acknowledgements, timeout_s)

    def wait_delivered(self, timeout_s: float | None = None) -> bool:
        """Wait until everything taken is in Kafka; whether that came about in time.

        Raises:
            IngestError: what went wrong in another thread.
        """
        return self._wait(lambda: not self._anything_waits, timeout_s)

    def is_acknowledged(self, record: Handed) -> bool:
        """Whether a record was acknowledged by this publisher or by one before it on this spool."""
        with self._changed:
            return self._marks.knows(record)

    def runs(self, line: str, coil: str) -> dict[int, bool]:
        """The runs of a coil that are not wholly in Kafka, and whether each still waits for its source."""
        with self._changed:
            return self._marks.runs(line, coil)

    def forget(self, run: CoilKey) -> None:
        """A coil will not go on: its cameras begin anew should they speak."""
        with self._changed:
            self._marks.forget(run)

    @property
    def backlog(self) -> Backlog:
        """How far Kafka is behind."""
        with self._changed:
            now_s = self._now() if self._anything_waits else None
            return self._tally.backlog(now_s, self._spool.size_bytes, self._waiting_for)

    # The sender's thread.

    def next_to_send(self, timeout_s: float) -> tuple[int, Entry] | None:
        """The next entry to hand to Kafka, once there is one and room for it; None when that took too long.

        The closing of a camera names the frames of it that were dropped.

        Raises:
            SpoolError: the spool is damaged.
        """
        with self._changed:
            found = self._ready_to_send()
            if found is None:
                self._changed.wait(timeout_s)
                found = self._ready_to_send()
            if found is None:
                return None
            number, entry = found
            if not self._in_flight:
                self._tally.oldest_at_ms = entry.handed_at_ms
            self._in_flight.add(number, entry)
            self._send_from = number + 1
            return number, self._with_drops(entry)

    def delivered(self, number: int) -> None:
        """Kafka has an entry."""
        with self._changed:
            sent = self._in_flight.remove(number)
            if sent is None:
                return
            self._waiting_for = None
            self._tally.delivered(number, sent)
            self._tally.oldest_at_ms = self._in_flight.oldest_at_ms or self._tally.oldest_at_ms
            if number in self._memory:
                del self._memory[number]
                self._memory_bytes -= sent.data_bytes
            self._move_on()
            if isinstance(sent.control, CameraClosed):
                self._marks.closed(sent.control, delivered=True)
            self._changed.notify_all()

    def send_again(self, waiting_for: str) -> None:
        """Begin anew behind the last entry that Kafka is known to have; what comes twice is ignored there."""
        with self._changed:
            self._waiting_for = waiting_for
            self._send_from = self._delivered
            self._in_flight.clear()
            self._changed.notify_all()

    def fail(self, error: IngestError) -> None:
        """Something cannot be put right: every later call of the source raises this."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    # The disk's thread.

    def keep(self, timeout_s: float) -> None:
        """Spool what has waited too long, and sync what was spooled: one sync for all that came meanwhile.

        Raises:
            SpoolError: the disk does not take it.
        """
        with self._changed:
            if not self._unsynced_bytes and not self._is_late:
                self._changed.wait(timeout_s)
            if self._is_late:
                self._to_disk()
        self._sync()

    def to_disk(self) -> None:
        """Spool and sync everything that waits in memory: nothing is lost by ending now.

        Raises:
            SpoolError: the disk does not take it.
        """
        with self._changed:
            self._to_disk()
        self._sync()

    # What follows is called with the lock held.

    @property
    def _spooling(self) -> bool:
        return self._spool.last is not None

    @property
    def _anything_waits(self) -> bool:
        return bool(self._memory) or self._spooling

    @property
    def _is_late(self) -> bool:
        waiting_since = next((since for _, since in self._memory.values()), None)
        return waiting_since is not None and time.monotonic() - waiting_since > self._spool_after_s

    def _wait(self, done: Callable[[], bool], timeout_s: float | None) -> bool:
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._failure is not None or done(), timeout_s)
            self._raise_failure()
            return in_time

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _wait_for_room(self, entry: Entry) -> None:
        size = len(entry.data)

        def in_memory() -> bool:
            fits = not self._memory or self._memory_bytes + size <= self._window_bytes
            return self._failure is not None or self._spooling or fits

        def on_disk() -> bool:
            synced = self._unsynced_bytes < self._window_bytes
            fits = (
                self._when_full == "drop-oldest"
                or not entry.is_frame
                or self._spool.fits(entry.spooled_bytes)
            )
            return self._failure is not None or not self._spooling or (synced and fits)

        if not self._changed.wait_for(in_memory, self._spool_after_s):
            self._to_disk()
        self._changed.wait_for(on_disk)
        self._raise_failure()

    def _to_disk(self) -> None:
        waiting, self._memory, self._memory_bytes = self._memory, {}, 0
        for number, (entry, _) in waiting.items():
            self._append(number, entry)

    def _append(self, number: int, entry: Entry) -> None:
        """Spool an entry, dropping older ones for it or giving itself up, as it was chosen."""
        parts = entry.to_parts()
        may_drop = self._when_full == "drop-oldest"
        if may_drop and entry.is_frame:
            while not self._spool.fits(entry.spooled_bytes) and self._drop_oldest("spool full"):
                pass
        while True:
            try:
                self._spool.append(number, *parts)
            except OSError as error:
                if may_drop and error.errno in NO_ROOM:
                    if self._drop_oldest("disk full"):
                        continue
                    if entry.is_frame:
                        self._give_up(number, entry, "disk full")
                        return
                where, why = self._spool.directory, error.strerror or error
                self._acknowledgements.lose(number)
                self._failure = SpoolError(f"spool {where}: {why}; {name_of(entry.record)} was not taken")
                raise self._failure from None
            self._unsynced_bytes += max(1, len(entry.data))  # a control record waits for its sync, too
            return

    def _drop_oldest(self, reason: DropReason) -> bool:
        def waits(record: LogRecord) -> tuple[int, Entry] | None:
            if record.number < self._delivered:
                return None
            entry = Entry.from_bytes(record.payload)
            return (record.number, entry) if entry.is_frame else None

        def stays(record: LogRecord) -> bool:
            return record.number >= self._delivered and waits(record) is None

        dropped = self._spool.droppable(waits)
        if not dropped:
            return False
        for number, entry in dropped:
            self._give_up(number, entry, reason)
        self._marks.sync()
        self._spool.drop_oldest(stays)
        self._move_on()
        return True

    def _give_up(self, number: int, entry: Entry, reason: DropReason) -> None:
        if self._tally.is_delivered(number):
            return
        if isinstance(entry.record, FrameHeader):
            self._marks.dropped(entry.record, reason)
        self._in_flight.remove(number)
        self._tally.given_up(entry)

    def _ready_to_send(self) -> tuple[int, Entry] | None:
        full = self._in_flight.data_bytes >= self._window_bytes
        if self._failure or full or self._in_flight.has_control:
            return None
        found = self._first_unsent()
        if found is None or not self._in_flight:
            return found
        entry = found[1]
        fits = self._in_flight.data_bytes + len(entry.data) <= self._window_bytes
        return found if fits and entry.is_frame else None

    def _first_unsent(self) -> tuple[int, Entry] | None:
        if self._spooling:
            record = self._spool.next_from(self._send_from)
            return (record.number, Entry.from_bytes(record.payload)) if record else None
        for number in range(self._send_from, self._next):
            if number in self._memory:
                return number, self._memory[number][0]
        return None

    def _with_drops(self, entry: Entry) -> Entry:
        if not isinstance(entry.record, CameraClosed):
            return entry
        dropped = self._marks.camera(entry.record).dropped
        return entry.with_record(entry.record.model_copy(update={"dropped": dropped}))

    def _move_on(self) -> None:
        """Let go of what is in Kafka without a gap."""
        first = self._in_flight.first
        before = self._send_from if first is None else first
        if before <= self._delivered:
            return
        self._delivered = before
        self._tally.moved_on(before)
        self._acknowledgements.acknowledge_before(before)
        if self._spooling:
            self._marks.delivered(before)
            if self._spool.deletes_before(before):
                self._marks.sync()
                self._spool.delete_before(before)
        if not self._spooling:
            self._unsynced_bytes = 0

    def _sync(self) -> None:
        with self._changed:
            if not self._unsynced_bytes or not self._spooling:
                return
            descriptor, before, self._unsynced_bytes = self._spool.descriptor(), self._next, 0
        self._spool.sync(descriptor)
        with self._changed:
            self._acknowledgements.acknowledge_before(before)
            self._changed.notify_all()

    def _take_up_spool(self) -> None:
        """Begin with what a publisher before this one has left."""
        self._spool.delete_before(self._delivered)
        left: list[Handed] = []
        for record in self._spool.records():
            if record.number < self._delivered:
                continue
            entry = Entry.from_bytes(record.payload)
            if not left:
                self._tally.oldest_at_ms = entry.handed_at_ms
            left.append(entry.record)
            self._tally.taken(entry)
        if left:
            # A publisher that was killed may have written what it had not synced.
            self._spool.sync(self._spool.descriptor())
        self._acknowledgements.mark(left)
