"""Which findings may lie near another: looked up by the cells of the strip that their boxes cover."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ingest.records import Side

if TYPE_CHECKING:
    from workers.coil.joining import PlacedFinding

CELL_MM = 50.0
"""Least side of a cell. Of a frame full of small findings a cell holds a handful; with smaller ones long
findings cover many."""
MOST_CELLS = 1_000
"""A finding that covers more is compared with all others: a box as long as a coil would fill the memory."""
SLACK_MM = 1.0
"""Look-ups reach further than the gap by this, so that no rounding decides what is looked at."""


class Cells:
    """Findings by number, in the order in which they come.

    Args:
        along_gap_mm: how far apart along the strip two findings may lie to be near each other.
        across_gap_mm: the same across.
    """

    def __init__(self, along_gap_mm: float, across_gap_mm: float) -> None:
        self._gaps = along_gap_mm, across_gap_mm
        # With a gap of many cells a look-up would read all of them.
        self._sizes = max(CELL_MM, along_gap_mm), max(CELL_MM, across_gap_mm)
        self._cells: dict[tuple[Side, int, int], list[int]] = defaultdict(list)
        self._large: list[int] = []
        self._count = 0

    def add(self, finding: PlacedFinding) -> Iterable[int]:
        """Take a finding; the numbers of those before it that may lie near, on its side and perhaps others.

        The first one has the number 0.
        """
        near = self._near(finding)
        covered = self._covered(finding, (0.0, 0.0))
        if covered is None:
            self._large.append(self._count)
        else:
            for cell in covered:
                self._cells[cell].append(self._count)
        self._count += 1
        return near

    def _near(self, finding: PlacedFinding) -> Iterable[int]:
        along_mm, across_mm = self._gaps
        cells = self._covered(finding, (along_mm + SLACK_MM, across_mm + SLACK_MM))
        if cells is None:
            return range(self._count)
        near = set(self._large)
        for cell in cells:
            near.update(self._cells.get(cell, ()))
        return sorted(near)

    def _covered(
        self, finding: PlacedFinding, margins: tuple[float, float]
    ) -> list[tuple[Side, int, int]] | None:
        """The cells of a box that is widened by margins; None where they are too many."""
        (along_mm, across_mm), (length_mm, width_mm) = margins, self._sizes
        rows = _steps(finding.start_mm - along_mm, finding.end_mm + along_mm, length_mm)
        columns = _steps(finding.left_mm - across_mm, finding.right_mm + across_mm, width_mm)
        if len(rows) * len(columns) > MOST_CELLS:
            return None
        return [(finding.side, row, column) for row in rows for column in columns]


def _steps(low: float, high: float, size: float) -> range:
    return range(int(low // size), int(high // size) + 1)
