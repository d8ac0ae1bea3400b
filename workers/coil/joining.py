"""Joins findings into defect events across frames and cameras.

Two findings of one side belong to one defect when their outlines come within reach of each other; an event is
a connected component of that graph, so it does not depend on the order in which findings arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ingest.records import Side
from workers.coil.cells import SLACK_MM, Cells
from workers.coil.outlines import Outline, area_mm2, overlap_mm2, within_reach
from workers.inspection.records import Finding, Inspection, PointMm

DECIMALS = 3


class JoiningSettings(BaseModel):
    """How far apart the findings of one defect may lie.

    An event's severity follows from its area, so joining decides grades, too.

    Attributes:
        along_gap_mm: along the strip, where scratches and rolled-in defects break off and go on. More where
            one scratch is counted as several events, less where neighbours become one.
        across_gap_mm: likewise, across the strip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    along_gap_mm: float = Field(default=15.0, gt=0, le=1000)
    across_gap_mm: float = Field(default=5.0, gt=0, le=1000)


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding without its thumbnail, and where it was seen."""

    id: str
    side: Side
    camera: str
    sequence: int
    score: float
    area_mm2: float
    start_mm: float
    end_mm: float
    left_mm: float
    right_mm: float
    outline: Outline
    defect_class: str
    class_confidence: float | None

    @property
    def points(self) -> tuple[PointMm, ...]:
        """The outline as it stands in a report."""
        return tuple((float(along), float(across)) for along, across in self.outline)


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one event, by id, and the thumbnail of the largest."""

    findings: tuple[PlacedFinding, ...]
    thumbnail: str


class Joiner:
    """Takes findings in any order; keeps one thumbnail an event."""

    def __init__(self, settings: JoiningSettings | None = None) -> None:
        self._settings = settings or JoiningSettings()
        self._findings: list[PlacedFinding] = []
        self._parents: list[int] = []
        self._thumbnails: dict[int, tuple[float, str, str]] = {}
        self._cells = Cells(self._settings.along_gap_mm, self._settings.across_gap_mm)

    @property
    def events(self) -> int:
        """Events so far."""
        return len(self._thumbnails)

    @property
    def findings(self) -> int:
        """Findings so far."""
        return len(self._findings)

    def add(self, inspection: Inspection) -> None:
        """Take the findings of a frame."""
        for finding in inspection.findings:
            self._add(_placed(inspection, finding), finding.thumbnail)

    def groups(self) -> list[Group]:
        """The events, each with its findings by id; ordered by side, start, left, and least id."""
        members: dict[int, list[PlacedFinding]] = defaultdict(list)
        for index, finding in enumerate(self._findings):
            members[self._root(index)].append(finding)
        groups = [
            Group(tuple(sorted(found, key=lambda f: f.id)), self._thumbnails[root][2])
            for root, found in members.items()
        ]
        return sorted(groups, key=_strip_order)

    def _add(self, finding: PlacedFinding, thumbnail: str) -> None:
        index = len(self._findings)
        self._findings.append(finding)
        self._parents.append(index)
        self._thumbnails[index] = (finding.area_mm2, finding.id, thumbnail)
        for other in self._cells.add(finding):
            if self._root(other) != self._root(index) and self._belong_together(
                finding, self._findings[other]
            ):
                self._unite(self._root(index), self._root(other))

    def _belong_together(self, one: PlacedFinding, other: PlacedFinding) -> bool:
        along, across = self._settings.along_gap_mm, self._settings.across_gap_mm
        near = (
            one.side == other.side
            and max(one.start_mm - other.end_mm, other.start_mm - one.end_mm) <= along + SLACK_MM
            and max(one.left_mm - other.right_mm, other.left_mm - one.right_mm) <= across + SLACK_MM
        )
        return near and within_reach(one.outline, other.outline, along, across)

    def _root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

    def _unite(self, one: int, other: int) -> None:
        self._parents[other] = one
        self._thumbnails[one] = max(self._thumbnails[one], self._thumbnails.pop(other))


def union_area_mm2(findings: Iterable[PlacedFinding]) -> float:
    """Area of the union of an event's findings.

    Findings of one frame do not overlap; what several frames saw, of one camera or of several, counts once.
    Outlines may enclose holes, so their overlap is scaled to the findings' own areas.
    """
    ordered = sorted(findings, key=lambda f: (f.start_mm, f.id))
    area = 0.0
    # Of those before, only these reach as far: a long event has many findings.
    reaching: list[PlacedFinding] = []
    for finding in ordered:
        reaching = [other for other in reaching if other.end_mm > finding.start_mm]
        seen = [other for other in reaching if _may_overlap(finding, other)]
        area += finding.area_mm2 - _seen_before_mm2(finding, seen)
        reaching.append(finding)
    return round(max(area, *(finding.area_mm2 for finding in ordered)), DECIMALS)


def _seen_before_mm2(finding: PlacedFinding, others: Sequence[PlacedFinding]) -> float:
    """Area of a finding that others show as well."""
    if not others:
        return 0.0
    own = min(1.0, _fullness(finding))
    return overlap_mm2(finding.outline, [(other.outline, min(own, _fullness(other))) for other in others])


def _may_overlap(one: PlacedFinding, other: PlacedFinding) -> bool:
    """Whether overlap is possible at all: of other frames, and boxes that meet."""
    return (
        (one.camera, one.sequence) != (other.camera, other.sequence)
        and one.start_mm < other.end_mm
        and other.start_mm < one.end_mm
        and one.left_mm < other.right_mm
        and other.left_mm < one.right_mm
    )


def _fullness(finding: PlacedFinding) -> float:
    enclosed = area_mm2(finding.outline)
    return finding.area_mm2 / enclosed if enclosed > 0 else 1.0


def _placed(inspection: Inspection, finding: Finding) -> PlacedFinding:
    return PlacedFinding(
        id=finding.id,
        side=inspection.side,
        camera=inspection.camera,
        sequence=inspection.sequence,
        score=finding.score,
        area_mm2=finding.area_mm2,
        start_mm=finding.start_mm,
        end_mm=finding.end_mm,
        left_mm=finding.left_mm,
        right_mm=finding.right_mm,
        outline=np.array(finding.outline, np.float64).reshape(-1, 2),
        defect_class=finding.defect_class,
        class_confidence=finding.class_confidence,
    )


def _strip_order(group: Group) -> tuple[str, float, float, str]:
    findings = group.findings
    start = min(f.start_mm for f in findings)
    return findings[0].side, start, min(f.left_mm for f in findings), findings[0].id
