"""The state of one coil: fed with records in any order, asked for counts, closing and report."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.records import CameraClosed, CoilOpened
from workers.coil.grading import GradingRules
from workers.coil.records import CloseReason, CoilClosed, CoilReport, DefectEvent, MissingFrames
from workers.inspection.records import Inspection


@dataclass(frozen=True, slots=True)
class CoilCounts:
    """How far a coil has come, for the live view.

    Attributes:
        sent: frames that the cameras are known to have handed over.
        duplicates: records that came again with equal content and were ignored.
        conflicts: records that came again with other content; the first one counts.
    """

    sent: int
    inspected: int
    unreadable: int
    findings: int
    events: int
    duplicates: int
    conflicts: int


class CoilAccount:
    """Accounts for one run of one coil on one line."""

    def __init__(self, line: str, coil: str, run: int) -> None:
        self.line = line
        self.coil = coil
        self.run = run

    def add_opened(self, record: CoilOpened) -> bool:
        """Take the opening record; False where it was known."""
        raise NotImplementedError

    def add_closed_camera(self, record: CameraClosed) -> bool:
        """Take a camera's closing record; False where it was known."""
        raise NotImplementedError

    def add(self, record: Inspection) -> bool:
        """Take an inspection; False where that frame was known (a duplicate or a conflict)."""
        raise NotImplementedError

    @property
    def complete(self) -> bool:
        """Whether every camera has closed and every frame it sent is here."""
        raise NotImplementedError

    @property
    def counts(self) -> CoilCounts:
        """How far the coil has come."""
        raise NotImplementedError

    def missing(self) -> tuple[MissingFrames, ...]:
        """Runs of frames that were sent and are not here."""
        raise NotImplementedError

    def events(self, rules: GradingRules) -> tuple[DefectEvent, ...]:
        """Defect events so far, ordered by side, start, left and id."""
        raise NotImplementedError

    def close_record(self, reason: CloseReason) -> CoilClosed:
        """The record that closes the coil as it is now."""
        raise NotImplementedError

    def report(self, closed: CoilClosed, rules: GradingRules) -> CoilReport:
        """The coil report: a function of the set of records taken."""
        raise NotImplementedError
