"""Where the strip's edges were seen along a coil, and how far a defect lies from them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf
from statistics import median_low

Sighting = tuple[float, float]
"""(along_mm, across_mm)."""


class EdgeSightings:
    """One edge as one camera saw it, frame by frame in any order; 16 bytes a frame, for coils are long."""

    def __init__(self) -> None:
        self._along_mm = array("d")
        self._across_mm = array("d")

    def add(self, along_mm: float, across_mm: float) -> None:
        """Take a sighting of the edge."""
        self._along_mm.append(along_mm)
        self._across_mm.append(across_mm)

    def __iter__(self) -> Iterator[Sighting]:
        return zip(self._along_mm, self._across_mm, strict=True)

    @property
    def across_mm(self) -> Iterable[float]:
        """Where across the edge was seen."""
        return self._across_mm


def in_order(edges: Iterable[EdgeSightings]) -> list[Sighting]:
    """All sightings of an edge along the strip."""
    return sorted(chain.from_iterable(edges))


def nearest_edge_mm(sightings: list[Sighting], along_mm: float, within_mm: float = inf) -> float | None:
    """The edge as seen nearest to a position; the earlier sighting of two as near.

    Args:
        sightings: in order along the strip.
        along_mm: the position.
        within_mm: sightings as far away as this, or farther, say nothing.
    """
    at = bisect_left(sightings, (along_mm, float("-inf")))
    near = [seen for seen in sightings[max(0, at - 1) : at + 1] if abs(seen[0] - along_mm) < within_mm]
    return min(near, key=lambda seen: (abs(seen[0] - along_mm), seen))[1] if near else None


def typical_edge_mm(edges: Iterable[EdgeSightings]) -> float | None:
    """Where the edge mostly lies: the lower median of all sightings, None without any."""
    seen = [across for edge in edges for across in edge.across_mm]
    return median_low(seen) if seen else None
