"""The ground truth of a simulated coil: what was planted, and where, in strip millimetres."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingest.records import CameraBand, Identifier, Millimetres, Record, Side

CONTRAST_FLOOR = 0.06
"""Least relative change of brightness that counts as defect: |with - without| > floor x without.

Grain and streaks of clean strip stay at a standard deviation of about 0.04, so a fainter change cannot be
told from them by eye; a higher floor would cut the soft rims off real defects.
"""

Half = Literal["train", "judge"]
"""Which half of the bundled crops: one trains networks, the other judges them."""

Family = Literal["scaled", "brushed", "pickled"]
"""Texture of the strip: mottled under scale, with fine bright streaks along the rolling direction, or darker
and matt with broad soft bands. No training tile is cut of the last: it judges."""

Kind = Literal[
    "iron-sheet-ash",
    "slag-inclusion",
    "oxide-scale",
    "roll-printing",
    "long-scratch",
    "roll-mark",
]


class EdgeSample(Record):
    """Where the strip begins and ends across, at one position along it; straight lines join the samples."""

    along_mm: Millimetres
    left_mm: Millimetres
    right_mm: Millimetres


class PlantedDefect(Record):
    """One physical defect of the simulated strip.

    Attributes:
        id: number of the defect, from 0 in order of its start.
        crop: name of the bundled crop it was made from.
        half: the half of the bundled crops that the crop belongs to.
        start_mm, end_mm: extent of its truth pixels along the strip from the head of the coil.
        left_mm, right_mm: extent of its truth pixels across, from the drive-side reference.
        area_mm2: area of its truth pixels.
        contrast: median relative change of brightness over its truth pixels, 0..1.
    """

    id: Annotated[int, Field(ge=0)]
    kind: Kind
    crop: str
    half: Half
    start_mm: Millimetres
    end_mm: Millimetres
    left_mm: Millimetres
    right_mm: Millimetres
    area_mm2: Annotated[float, Field(gt=0)]
    contrast: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        for low, high in (("start_mm", "end_mm"), ("left_mm", "right_mm")):
            begin, end = getattr(self, low), getattr(self, high)
            if begin > end:
                raise ValueError(f"expected {low} up to {high}, got {begin:g} and {end:g}")
        return self

    @property
    def length_mm(self) -> float:
        """Extent along the strip."""
        return self.end_mm - self.start_mm

    @property
    def width_mm(self) -> float:
        """Extent across the strip."""
        return self.right_mm - self.left_mm


class SimulatedTruth(Record):
    """Everything that was planted in a simulated coil (`truth.json`).

    Attributes:
        contrast_floor: least relative change of brightness that counts as defect.
        roll_circumference_mm: distance at which the defects of kind `roll-mark` repeat.
        edges: samples of the strip's edges, in order along the strip.
        defects: in order of their start.
    """

    schema_version: Literal[1] = 1
    line: Identifier
    coil: Identifier
    side: Side
    seed: int
    half: Half
    family: Family
    length_mm: Millimetres
    contrast_floor: float = CONTRAST_FLOOR
    roll_circumference_mm: Millimetres
    cameras: tuple[CameraBand, ...]
    edges: tuple[EdgeSample, ...]
    defects: tuple[PlantedDefect, ...]

    @model_validator(mode="after")
    def _defects_differ(self) -> Self:
        for number, times in Counter(defect.id for defect in self.defects).items():
            if times > 1:
                raise ValueError(f"expected each id once, got {number} {times} times")
        return self
