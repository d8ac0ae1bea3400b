"""Defect events: what a group of joined findings amounts to on the strip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingest.records import Side
from workers.coil.class_vote import vote
from workers.coil.grading import GradingRules
from workers.coil.joining import Group, PlacedFinding, union_area_mm2
from workers.coil.records import CameraKey, DefectEvent
from workers.coil.strip_edges import EdgeSightings, Sighting, in_order, nearest_edge_mm

DECIMALS = 3
Edges = dict[Side, list[Sighting]]


def defect_events(
    groups: Iterable[Group],
    rules: GradingRules,
    left_edges: Mapping[CameraKey, EdgeSightings],
    right_edges: Mapping[CameraKey, EdgeSightings],
) -> tuple[DefectEvent, ...]:
    """The event of each group, ordered by side, start, left and id."""
    left, right = _of_sides(left_edges), _of_sides(right_edges)
    events = (_event(group, rules, left, right) for group in groups)
    return tuple(sorted(events, key=lambda e: (e.side, e.start_mm, e.left_mm, e.id)))


def _of_sides(edges: Mapping[CameraKey, EdgeSightings]) -> Edges:
    sides = {side for side, _ in edges}
    return {side: in_order(seen for key, seen in edges.items() if key[0] == side) for side in sides}


def _event(group: Group, rules: GradingRules, left_edges: Edges, right_edges: Edges) -> DefectEvent:
    findings = group.findings
    side = findings[0].side
    start, end = min(f.start_mm for f in findings), max(f.end_mm for f in findings)
    left, right = min(f.left_mm for f in findings), max(f.right_mm for f in findings)
    area = union_area_mm2(findings)
    defect_class, class_confidence = vote(findings)
    left_edge, right_edge = left_edges.get(side, []), right_edges.get(side, [])
    return DefectEvent(
        id=findings[0].id,
        side=side,
        severity=rules.severity_of(area, defect_class),
        defect_class=defect_class,
        class_confidence=class_confidence,
        start_mm=start,
        end_mm=end,
        left_mm=left,
        right_mm=right,
        area_mm2=area,
        score=max(f.score for f in findings),
        from_left_edge_mm=_least(f.left_mm - edge for f, edge in _beside(findings, left_edge)),
        from_right_edge_mm=_least(edge - f.right_mm for f, edge in _beside(findings, right_edge)),
        findings=len(findings),
        frames=len({(f.camera, f.sequence) for f in findings}),
        cameras=tuple(sorted({f.camera for f in findings})),
        outlines=tuple(f.points for f in findings),
        thumbnail=group.thumbnail,
    )


def _beside(
    findings: Iterable[PlacedFinding], sightings: list[Sighting]
) -> Iterator[tuple[PlacedFinding, float]]:
    """Each finding with the edge as seen beside it: strip wanders more along a long event than defects do."""
    for finding in findings:
        edge = nearest_edge_mm(sightings, (finding.start_mm + finding.end_mm) / 2)
        if edge is not None:
            yield finding, edge


def _least(distances_mm: Iterable[float]) -> float | None:
    least = min(distances_mm, default=None)
    return None if least is None else round(least, DECIMALS)
