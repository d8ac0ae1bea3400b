"""Which frames without strip are as they should be: those of a camera that looks past the strip there."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.records import CameraBand
from workers.coil.strip_edges import Sighting, edge_beside_mm

DULL_RIM_MM = 20.0
"""So much of the strip beside its edge may look as dark as the gap. Wider, and a camera whose lamp fails
there is excused; narrower, and one that the strip's rim just reaches holds coils."""
WIDEST_SLIVER_MM = 100.0
"""A camera that mostly sees more of the strip than this, where it sees any, does not stand beside it: strip
wanders by some centimetres. Where a lamp bar fails from one end, the edges that others then see are false."""


@dataclass(frozen=True)
class Outlook:
    """What there is for a camera to see, by what the other cameras of its side saw.

    Attributes:
        band: that it looks at.
        left_edges, right_edges: of the strip, as each of the others saw them, in order along the strip.
    """

    band: CameraBand
    left_edges: list[list[Sighting]]
    right_edges: list[list[Sighting]]

    def is_past_strip(self, start_mm: float, end_mm: float) -> bool:
        """Whether the strip ends before the band, by what the others saw in frames beside this one.

        Args:
            start_mm: where a frame of this camera begins.
            end_mm: where it ends.
        """
        left, right = (
            edge_beside_mm(edges, start_mm, end_mm) for edges in (self.left_edges, self.right_edges)
        )
        return (left is not None and self.band.right_mm <= left + DULL_RIM_MM) or (
            right is not None and self.band.across_mm >= right - DULL_RIM_MM
        )
