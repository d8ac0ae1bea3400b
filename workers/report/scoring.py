"""How well a coil report tells what a simulated coil really had on it.

An event **touches** a defect when their boxes, the defect's widened by the tolerance, overlap. Of the
defects that an event touches, the one it overlaps most is its **own**. A defect is found when an event
touches it, split when it is the own one of several events, merged when it is found only by events whose own
defect is another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.simulation.truth import PlantedDefect, SimulatedTruth
from workers.coil.records import CoilReport, DefectEvent
from workers.report.score_records import ClassCount, MergedDefects, Recall, Score, SplitDefect

__all__ = ["Score", "score"]

TOLERANCE_MM = 5.0
"""Ten pixels of the simulated line: an outline may be that far out before an event is another thing."""

SMALLEST_MM = 10.0
"""Defects whose longer extent is below this do not count for the headline recall, only in their class."""

SIZE_BOUNDS_MM = (5.0, 10.0, 25.0, 100.0)
"""Borders of the size classes, by the longer extent: speck, small, palm-sized, long, longer than a frame."""

RATE_LENGTH_MM = 10_000.0
"""False events are given per 10 m: a rate that a person can compare over coils of any length."""


@dataclass(frozen=True, slots=True)
class _Box:
    start: float
    end: float
    left: float
    right: float

    @classmethod
    def of(cls, *things: DefectEvent | PlantedDefect) -> _Box:
        return cls(
            min(thing.start_mm for thing in things),
            max(thing.end_mm for thing in things),
            min(thing.left_mm for thing in things),
            max(thing.right_mm for thing in things),
        )

    def widened(self, margin: float) -> _Box:
        return _Box(self.start - margin, self.end + margin, self.left - margin, self.right + margin)

    def overlap(self, other: _Box) -> float | None:
        """Common area, None when the boxes do not touch."""
        along = min(self.end, other.end) - max(self.start, other.start)
        across = min(self.right, other.right) - max(self.left, other.left)
        return along * across if along >= 0 and across >= 0 else None

    def distance(self, other: _Box) -> float:
        """Between the middles."""
        along = (self.start + self.end - other.start - other.end) / 2
        across = (self.left + self.right - other.left - other.right) / 2
        return math.hypot(along, across)


def score(
    report: CoilReport,
    truth: SimulatedTruth,
    *,
    tolerance_mm: float = TOLERANCE_MM,
    smallest_mm: float = SMALLEST_MM,
) -> Score:
    """Compare the events of a report with the defects that were planted.

    Args:
        report: of the simulated coil; events on a side that the truth does not describe are false.
        truth: as the simulation wrote it.
        tolerance_mm: how far an event may lie from a defect's box and still touch it.
        smallest_mm: longer extent from which a defect counts for the headline recall.
    """
    touched = {event.id: _touched(event, truth, tolerance_mm) for event in report.events}
    found = {defect.id for defects in touched.values() for defect in defects}
    own_events: dict[int, list[DefectEvent]] = {}
    for event in report.events:
        if touched[event.id]:
            own_events.setdefault(touched[event.id][0].id, []).append(event)
    errors = [
        _Box.of(*own_events[defect.id]).distance(_Box.of(defect))
        for defect in truth.defects
        if defect.id in own_events
    ]
    false = [event for event in report.events if not touched[event.id]]
    missed = [defect for defect in truth.defects if defect.id not in found]
    headline = [defect for defect in truth.defects if longer_extent_mm(defect) >= smallest_mm]
    length_mm = max(report.length_mm, truth.length_mm)
    return Score(
        tolerance_mm=tolerance_mm,
        smallest_mm=smallest_mm,
        recall=_recall(f"{smallest_mm:g} mm and longer", headline, found),
        by_size=_recall_by_size(truth.defects, found),
        by_kind=_recall_by_kind(truth.defects, found),
        classes=_classes(truth.defects, own_events),
        events_per_defect=(len(report.events) - len(false)) / len(found) if found else None,
        split=tuple(
            SplitDefect(defect=defect, events=tuple(event.id for event in events))
            for defect, events in sorted(own_events.items())
            if len(events) > 1
        ),
        merged=_merged(report.events, touched, own_events.keys()),
        mean_position_error_mm=math.fsum(errors) / len(errors) if errors else None,
        max_position_error_mm=max(errors, default=None),
        false_per_10_m=len(false) * RATE_LENGTH_MM / length_mm if length_mm > 0 else 0.0,
        missed=tuple(sorted(missed, key=lambda defect: -defect.area_mm2)),
        false_events=tuple(sorted(false, key=lambda event: -event.area_mm2)),
    )


def longer_extent_mm(thing: DefectEvent | PlantedDefect) -> float:
    """The larger of length and width: "at least 10 mm in either direction"."""
    return max(thing.length_mm, thing.width_mm)


def _touched(event: DefectEvent, truth: SimulatedTruth, tolerance_mm: float) -> list[PlantedDefect]:
    """The defects that an event touches, its own first."""
    if event.side != truth.side:
        return []
    box = _Box.of(event)
    ranked = []
    for defect in truth.defects:
        overlap = box.overlap(_Box.of(defect).widened(tolerance_mm))
        if overlap is not None:
            ranked.append((-overlap, box.distance(_Box.of(defect)), defect.id, defect))
    return [item[-1] for item in sorted(ranked, key=lambda item: item[:3])]


def _merged(
    events: Sequence[DefectEvent], touched: dict[str, list[PlantedDefect]], owned: Iterable[int]
) -> tuple[MergedDefects, ...]:
    with_own = set(owned)
    merged = []
    for event in events:
        swallowed = [defect.id for defect in touched[event.id][1:] if defect.id not in with_own]
        if swallowed:
            merged.append(MergedDefects(event=event.id, defects=(touched[event.id][0].id, *swallowed)))
    return tuple(merged)


def _classes(
    defects: Sequence[PlantedDefect], own_events: Mapping[int, Sequence[DefectEvent]]
) -> tuple[ClassCount, ...]:
    largest = {
        defect.id: max(own_events[defect.id], key=lambda event: (event.area_mm2, event.id))
        for defect in defects
        if defect.id in own_events
    }
    counts = Counter(
        (defect.kind, largest[defect.id].defect_class) for defect in defects if defect.id in largest
    )
    return tuple(
        ClassCount(kind=kind, defect_class=name, defects=count)
        for (kind, name), count in sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    )


def _recall(group: str, defects: Sequence[PlantedDefect], found: set[int]) -> Recall:
    return Recall(group=group, found=sum(defect.id in found for defect in defects), defects=len(defects))


def _recall_by_size(defects: Sequence[PlantedDefect], found: set[int]) -> tuple[Recall, ...]:
    lows = (0.0, *SIZE_BOUNDS_MM)
    highs = (*SIZE_BOUNDS_MM, math.inf)
    classes = []
    for low, high in zip(lows, highs, strict=True):
        group = f"under {high:g} mm" if low == 0 else f"{low:g} to {high:g} mm"
        group = f"{low:g} mm and longer" if math.isinf(high) else group
        members = [defect for defect in defects if low <= longer_extent_mm(defect) < high]
        classes.append(_recall(group, members, found))
    return tuple(classes)


def _recall_by_kind(defects: Sequence[PlantedDefect], found: set[int]) -> tuple[Recall, ...]:
    kinds = sorted({defect.kind for defect in defects})
    return tuple(
        _recall(kind, [defect for defect in defects if defect.kind == kind], found) for kind in kinds
    )
