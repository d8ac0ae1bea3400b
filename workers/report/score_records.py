"""The score of a coil report against the truth."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ingest.records import Digest, Record
from ingest.simulation.truth import PlantedDefect
from workers.coil.records import DefectEvent


class Recall(Record):
    """How many defects of one group were found."""

    group: str
    found: int
    defects: int

    @property
    def share(self) -> float:
        """Found share, 0..1; 1 for a group without defects, where nothing was missed."""
        return self.found / self.defects if self.defects else 1.0


class SplitDefect(Record):
    """A defect that was reported as several events."""

    defect: int
    events: Annotated[tuple[Digest, ...], Field(min_length=2)]


class MergedDefects(Record):
    """Several defects that were reported as one event, whose own defect comes first."""

    event: Digest
    defects: Annotated[tuple[int, ...], Field(min_length=2)]


class ClassCount(Record):
    """How many found defects of a kind were taken for a class."""

    kind: str
    defect_class: str
    defects: int


class Score(Record):
    """What `coilwatch score` says of a report.

    Attributes:
        recall: of the defects of at least `smallest_mm` in either direction.
        by_size: recall of each size class, all defects counted, smallest class first.
        by_kind: recall of each kind of defect, all defects counted, by name.
        classes: what found defects were taken for: the class of the largest of their own events.
        events_per_defect: events that touch a defect, over found defects; 1 is ideal, None when none is.
        mean_position_error_mm, max_position_error_mm: distance between the middle of a defect and the middle
            of its own events together; None when no defect has any.
        false_per_10_m: events that touch no defect, per 10 m of strip.
        missed: defects that no event touches, largest first.
        false_events: events that touch no defect, largest first.
    """

    tolerance_mm: float
    smallest_mm: float
    recall: Recall
    by_size: tuple[Recall, ...]
    by_kind: tuple[Recall, ...]
    classes: tuple[ClassCount, ...]
    events_per_defect: float | None
    split: tuple[SplitDefect, ...]
    merged: tuple[MergedDefects, ...]
    mean_position_error_mm: float | None
    max_position_error_mm: float | None
    false_per_10_m: Annotated[float, Field(ge=0)]
    missed: tuple[PlantedDefect, ...]
    false_events: tuple[DefectEvent, ...]
