"""How far Kafka is behind the source, and what is under way to it."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.spool_entry import Entry, Handed


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far Kafka is behind the source.

    Attributes:
        frames: handed over and not in Kafka.
        data_bytes: their encoded pixels.
        age_s: how long ago the oldest of them was handed over.
        spooled_bytes: on disk.
        dropped: frames given up since the publisher began.
        waiting_for: what keeps Kafka from taking them; None while it does.
    """

    frames: int = 0
    data_bytes: int = 0
    age_s: float = 0.0
    spooled_bytes: int = 0
    dropped: int = 0
    waiting_for: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An entry under way.

    Attributes:
        control: the record, where it is no frame.
    """

    is_frame: bool
    data_bytes: int
    handed_at_ms: int
    control: Handed | None


class Tally:
    """Counts of what is handed over and not in Kafka.

    Attributes:
        dropped: frames given up.
        oldest_at_ms: when the oldest entry was handed over, as far as is known.
    """

    def __init__(self) -> None:
        self.frames = self.data_bytes = self.dropped = self.oldest_at_ms = 0
        # In Kafka, though not all before them: sent again, they come back once more.
        self._ahead: set[int] = set()

    def taken(self, entry: Entry) -> None:
        """An entry was handed over."""
        self.frames += entry.is_frame
        self.data_bytes += len(entry.data)

    def delivered(self, number: int, sent: Sent) -> None:
        """An entry is in Kafka; one that comes back again counts once."""
        if number not in self._ahead:
            self._ahead.add(number)
            self.frames -= sent.is_frame
            self.data_bytes -= sent.data_bytes

    def is_delivered(self, number: int) -> bool:
        """Whether an entry behind all that are in Kafka without a gap is there, too."""
        return number in self._ahead

    def moved_on(self, before: int) -> None:
        """Nobody asks any more for entries before this one."""
        self._ahead = {number for number in self._ahead if number >= before}

    def given_up(self, entry: Entry) -> None:
        """A frame was dropped; the oldest that waits is younger."""
        self.frames -= 1
        self.data_bytes -= len(entry.data)
        self.dropped += 1
        self.oldest_at_ms = entry.handed_at_ms

    def backlog(self, now_s: float | None, spooled_bytes: int, waiting_for: str | None) -> Backlog:
        """The backlog at a wall-clock time; None where nothing waits."""
        age_s = 0.0 if now_s is None else max(0.0, now_s - self.oldest_at_ms / 1000)
        return Backlog(self.frames, self.data_bytes, age_s, spooled_bytes, self.dropped, waiting_for)


class InFlight:
    """Entries handed to Kafka's client and not acknowledged, in the order of their numbers."""

    def __init__(self) -> None:
        self._sent: dict[int, Sent] = {}
        self.data_bytes = 0
        self._has_control = False

    def __bool__(self) -> bool:
        return bool(self._sent)

    @property
    def first(self) -> int | None:
        """The lowest number under way."""
        return next(iter(self._sent), None)

    @property
    def oldest_at_ms(self) -> int | None:
        """When the lowest number under way was handed over."""
        return next((sent.handed_at_ms for sent in self._sent.values()), None)

    @property
    def has_control(self) -> bool:
        """Whether a control record is under way: it is alone then."""
        return self._has_control

    def add(self, number: int, entry: Entry) -> None:
        """An entry is sent."""
        control = None if entry.is_frame else entry.record
        self._sent[number] = Sent(entry.is_frame, len(entry.data), entry.handed_at_ms, control)
        self.data_bytes += len(entry.data)
        self._has_control = control is not None

    def remove(self, number: int) -> Sent | None:
        """An entry is acknowledged, or nobody waits for it any more; None where it was not under way."""
        sent = self._sent.pop(number, None)
        if sent is not None:
            self.data_bytes -= sent.data_bytes
            self._has_control = self._has_control and sent.control is None
        return sent

    def clear(self) -> None:
        """Nothing is known any more of what was under way."""
        self._sent.clear()
        self.data_bytes = 0
        self._has_control = False
