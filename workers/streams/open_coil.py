"""A coil that the coil worker has in hand: its account, and where its records lie in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from workers.coil.account import CoilAccount
from workers.coil.records import CloseReason
from workers.streams.messages import LogPlace
from workers.streams.settings import CoilLoopSettings


@dataclass
class OpenCoil:
    """A coil between its first record, or the first one after its report, and the report that tells of it.

    Attributes:
        heard_at: when its last record came, in seconds of the loop's clock.
        first, last: offsets of its first and its last record, by partition.
        held: offsets that commits must not pass, by partition, until its report is announced.
        later: the same for what came behind the closing record of a report that is not announced yet.
        closing: its closing record is on its way.
        reporting: where the records lie that its report tells of, while it is not announced yet.
    """

    account: CoilAccount
    started_at: datetime
    heard_at: float
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    later: dict[int, int] = field(default_factory=dict)
    closing: bool = False
    reporting: tuple[LogPlace, ...] | None = None
    shown_at: float = float("-inf")
    changed: bool = True

    def hear(self, partition: int, offset: int, now: float) -> None:
        """Take note that a record of it was read."""
        self.first.setdefault(partition, offset)
        self.last[partition] = offset
        (self.held if self.reporting is None else self.later).setdefault(partition, offset)
        self.heard_at = now
        self.changed = True

    def closed(self) -> None:
        """Take note that its closing record was the last one read: a report will tell of all before it."""
        self.closing = False
        self.reporting = self.log

    def announced(self) -> bool:
        """Hold no longer what its report tells; whether records came behind it that must be held."""
        self.reporting = None
        self.held, self.later = self.later, {}
        return bool(self.held)

    @property
    def log(self) -> tuple[LogPlace, ...]:
        """Where its records lie."""
        return tuple(
            LogPlace(partition=partition, first=first, last=self.last[partition])
            for partition, first in sorted(self.first.items())
        )

    def why_ended(self, now: float, settings: CoilLoopSettings) -> CloseReason | None:
        """Why it closes now, None while it does not."""
        if self.closing or self.reporting is not None:
            return None
        account, silent_s = self.account, now - self.heard_at
        if account.revision:
            silent = silent_s >= self.patience_s(settings)
            return self._how_far() if account.revision_ready or (account.revision_due and silent) else None
        if account.complete:
            return "complete"
        return self._how_far() if account.opened and silent_s >= self.patience_s(settings) else None

    def patience_s(self, settings: CoilLoopSettings) -> float:
        """How long its silence is waited out: a strip that stands still may run on."""
        ended = self.account.cameras_closed or self.account.revision_asked_for
        return settings.grace_s if ended else settings.idle_s

    def _how_far(self) -> CloseReason:
        if self.account.complete:
            return "complete"
        return "grace time passed" if self.account.cameras_closed else "idle"
