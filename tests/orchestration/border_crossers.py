"""Which planted defects more than one frame shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ingest.records import CameraBand
from ingest.simulation.truth import PlantedDefect


def border_crossers(
    defects: Sequence[PlantedDefect], bands: Sequence[CameraBand], frame_mm: float
) -> tuple[PlantedDefect, ...]:
    """The defects that cross a border between frames, or that more than one camera sees."""
    return tuple(
        defect
        for defect in defects
        if _frames(defect, frame_mm) > 1 or sum(_sees(band, defect) for band in bands) > 1
    )


def _frames(defect: PlantedDefect, frame_mm: float) -> int:
    """Frames along the strip that show a defect; one that ends at a border is not in the next frame."""
    return math.ceil(defect.end_mm / frame_mm) - math.floor(defect.start_mm / frame_mm)


def _sees(band: CameraBand, defect: PlantedDefect) -> bool:
    return defect.right_mm > band.across_mm and defect.left_mm < (
        band.across_mm + band.columns * band.mm_per_column
    )
