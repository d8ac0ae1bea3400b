"""The class of a defect event: its findings vote, each with its area."""

from __future__ import annotations

from collections.abc import Sequence

from workers.coil.joining import PlacedFinding
from workers.inspection.records import UNKNOWN

DECIMALS = 3


def vote(findings: Sequence[PlacedFinding]) -> tuple[str, float | None]:
    """The class that findings agree on, and how sure they are of it.

    Every finding votes for its class with its area, those of unknown class too: a defect most of which nobody
    is sure of stays unknown. Between equal areas a known class goes before unknown, and then the first by
    alphabet.

    Args:
        findings: of one event, ordered by id, so that sums are always the same.

    Returns:
        The class, and the mean confidence by area of the findings that voted for it; None where no classifier
        looked at any of those.
    """
    areas: dict[str, float] = {}
    for finding in findings:
        areas[finding.defect_class] = areas.get(finding.defect_class, 0.0) + finding.area_mm2
    winner = min(areas, key=lambda name: (-areas[name], name == UNKNOWN, name))
    sure = [
        (finding.area_mm2, finding.class_confidence)
        for finding in findings
        if finding.defect_class == winner and finding.class_confidence is not None
    ]
    weight = sum(area for area, _ in sure)
    if weight <= 0:
        return winner, None
    return winner, min(1.0, round(sum(area * confidence for area, confidence in sure) / weight, DECIMALS))
