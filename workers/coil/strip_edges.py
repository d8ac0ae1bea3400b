"""Where the strip's edges were seen along a coil, and how far a defect lies from them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import median_low

Sighting = tuple[float, float, float]
"""(along_mm, across_mm, length_mm): the middle of a frame, where across it shows the edge, and its length."""


class EdgeSightings:
    """One edge as one camera saw it, frame by frame in any order; 24 bytes a frame, for coils are long."""

    def __init__(self) -> None:
        self._along_mm = array("d")
        self._across_mm = array("d")
        self._length_mm = array("d")

    def add(self, along_mm: float, across_mm: float, length_mm: float) -> None:
        """Take a sighting of the edge."""
        self._along_mm.append(along_mm)
        self._across_mm.append(across_mm)
        self._length_mm.append(length_mm)

    def __iter__(self) -> Iterator[Sighting]:
        return zip(self._along_mm, self._across_mm, self._length_mm, strict=True)

    @property
    def across_mm(self) -> Iterable[float]:
        """Where across the edge was seen."""
        return self._across_mm


def in_order(edges: Iterable[EdgeSightings]) -> list[Sighting]:
    """All sightings of an edge along the strip."""
    return sorted(chain.from_iterable(edges))


def nearest_edge_mm(sightings: list[Sighting], along_mm: float) -> float | None:
    """The edge as seen nearest to a position; the earlier sighting of two as near.

    Args:
        sightings: in order along the strip.
        along_mm: the position.
    """
    return _nearest(_around(sightings, along_mm), along_mm)


def edge_beside_mm(cameras: Iterable[list[Sighting]], start_mm: float, end_mm: float) -> float | None:
    """The edge as seen nearest to the middle of a frame, in frames of other cameras beside it.

    Args:
        cameras: sightings of each camera, in order along the strip; their frames may have any length.
        start_mm: where the frame begins.
        end_mm: where it ends.
    """
    middle_mm, length_mm = (start_mm + end_mm) / 2, end_mm - start_mm
    near = chain.from_iterable(_around(sightings, middle_mm) for sightings in cameras)
    return _nearest([s for s in near if abs(s[0] - middle_mm) < (length_mm + s[2]) / 2], middle_mm)


def _around(sightings: list[Sighting], along_mm: float) -> list[Sighting]:
    """The last sighting before a position and the first one behind it."""
    at = bisect_left(sightings, (along_mm, float("-inf"), 0.0))
    return sightings[max(0, at - 1) : at + 1]


def _nearest(sightings: Sequence[Sighting], along_mm: float) -> float | None:
    return min(sightings, key=lambda seen: (abs(seen[0] - along_mm), seen))[1] if sightings else None


def typical_edge_mm(edges: Iterable[EdgeSightings]) -> float | None:
    """Where the edge mostly lies: the lower median of all sightings, None without any."""
    seen = [across for edge in edges for across in edge.across_mm]
    return median_low(seen) if seen else None
