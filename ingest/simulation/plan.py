"""The plan of a coil: which defects are planted where."""

from __future__ import annotations

import numpy as np

from ingest.simulation.cameras import (
    COLUMNS_PER_CAMERA,
    EDGES_MM,
    MM_PER_PX,
    SECOND_CAMERA_COLUMN,
)
from ingest.simulation.crops import CropEntry, crop_levels, crops_of
from ingest.simulation.noise import generator
from ingest.simulation.planting import SCRATCH_MARGIN_COLUMNS, Planting
from ingest.simulation.truth import Half

STREAM = 4

ROWS_PER_FRAME = 480
"""240 mm of strip: short enough that a coil has many borders, long enough to hold most defects whole."""

ROLL_CIRCUMFERENCE_MM = 1884.9556
"""Of the 600 mm roll whose mark repeats: pi times its diameter."""
ROLL_MARK_LENGTH_PX = (36, 56)
ROLL_MARK_STRENGTH = 0.36

SCRATCH_LENGTH_PX = (2400, 3200)
"""1.2 to 1.6 m: at least five frames."""

SIZE_PX = (16, 128)
"""Least and greatest longer side of a crop, rim and all; the defect in it is 5 to 60 mm long."""
GREATEST_ENLARGEMENT = 2.0
"""A crop enlarged more than this looks blurred beside the strip's grain."""
STRENGTHS_PERCENT = (25, 80)

GAP_PX = 60
"""Bare strip between any two defects, 30 mm, so that no inspection may rightly join them into one."""
EDGE_GAP_PX = 16
"""Bare strip between a defect and the wandering edge's mean, so that no truth pixel lies beside the strip."""

FRAME_BORDER_EVERY = 4
CAMERA_BORDER_EVERY = 7
"""Every so many defects one is laid across a border, or few of the small ones would meet one by chance."""
CROSSING_SIZE_PX = 40
"""A defect laid across a frame border has at least this size, so that it shows on both sides."""
SPANNING_SIZE_PX = 84
"""A wide defect of this size reaches beyond the 20 mm that both cameras see, on either side."""
WIDE = 0.8
"""Least width of a wide crop, as a share of its length."""
FAINT_SHARE = 0.6
"""Roll printings are shallow: at the strength of other defects their halo would glare."""
TRIES = 60


class CoilPlan:
    """Lays out the defects of one coil so that none comes near another.

    Args:
        seed: of the coil.
        half: which crops may be used.
        rows: length of the coil.
        defects_per_m: single defects besides the long scratch and the roll mark.
    """

    def __init__(self, seed: int, half: Half, rows: int, defects_per_m: float) -> None:
        self._random = generator(seed, STREAM)
        self._rows = rows
        self._first_column = round(EDGES_MM[0] / MM_PER_PX) + EDGE_GAP_PX
        self._end_column = round(EDGES_MM[1] / MM_PER_PX) - EDGE_GAP_PX
        self._blobs = crops_of(half, "iron-sheet-ash", "slag-inclusion", "oxide-scale", "roll-printing")
        self._scratches = crops_of(half, "long-scratch")
        self._marks = crops_of(half, "roll-printing")
        shapes = {entry.name: crop_levels(entry.name).shape for entry in self._blobs}
        self._wide = tuple(
            entry for entry in self._blobs if shapes[entry.name][1] >= WIDE * shapes[entry.name][0]
        )
        self._planted: list[Planting] = []
        self._plant_roll_marks()
        self._plant_scratch()
        for number in range(round(rows * MM_PER_PX / 1000 * defects_per_m)):
            self._plant_single(number)

    @property
    def plantings(self) -> tuple[Planting, ...]:
        """All defects, in order of their first row."""
        return tuple(sorted(self._planted, key=lambda one: (one.row, one.column)))

    def _draw(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self._random.integers(low, max(low, high) + 1))

    def _choose(self, entries: tuple[CropEntry, ...]) -> CropEntry:
        return entries[self._draw(0, len(entries) - 1)]

    def _free(self, one: Planting) -> bool:
        inside = one.row >= 0 and one.end_row <= self._rows
        inside = inside and one.column >= self._first_column and one.end_column <= self._end_column
        return inside and all(one.keeps_off(other, GAP_PX) for other in self._planted)

    def _plant_roll_marks(self) -> None:
        entry = self._choose(self._marks)
        height, width = crop_levels(entry.name).shape
        rows = self._draw(*ROLL_MARK_LENGTH_PX)
        columns = round(rows * width / height)
        column = self._draw(self._first_column, self._end_column - columns)
        start = self._draw(100, 1200)
        spacing = ROLL_CIRCUMFERENCE_MM / MM_PER_PX
        for turn in range(int(max(0, self._rows - rows - start) // spacing) + 1):
            row = start + round(turn * spacing)
            mark = Planting("roll-mark", entry.name, row, column, rows, columns, ROLL_MARK_STRENGTH)
            if self._free(mark):
                self._planted.append(mark)

    def _plant_scratch(self) -> None:
        entry = self._choose(self._scratches)
        width = crop_levels(entry.name).shape[1]
        columns = width * self._draw(10, 18) // 10 + 2 * SCRATCH_MARGIN_COLUMNS
        rows = self._draw(*SCRATCH_LENGTH_PX)
        strength = self._draw(34, 50) / 100
        seed = self._draw(0, 2**31)
        for _ in range(TRIES):
            row = self._draw(0, self._rows - rows)
            column = self._draw(self._first_column, self._end_column - columns)
            one = Planting("long-scratch", entry.name, row, column, rows, columns, strength, wander_seed=seed)
            if self._free(one):
                self._planted.append(one)
                return

    def _plant_single(self, number: int) -> None:
        across_frames = number % FRAME_BORDER_EVERY == 0
        across_cameras = number % CAMERA_BORDER_EVERY == 0
        entry = self._choose(self._wide if across_cameras else self._blobs)
        least = CROSSING_SIZE_PX if across_frames else SIZE_PX[0]
        least = SPANNING_SIZE_PX if across_cameras else least
        rows, columns = self._size(crop_levels(entry.name).shape, least)
        strength = self._draw(*STRENGTHS_PERCENT) / 100
        if entry.kind == "roll-printing":
            strength *= FAINT_SHARE
        flips = bool(self._draw(0, 1)), bool(self._draw(0, 1))
        for _ in range(TRIES):
            row = self._crossing_row(rows) if across_frames else self._draw(0, self._rows - rows)
            column = (
                self._crossing_column(columns)
                if across_cameras
                else self._draw(self._first_column, self._end_column - columns)
            )
            one = Planting(entry.kind, entry.name, row, column, rows, columns, strength, *flips)
            if self._free(one):
                self._planted.append(one)
                return

    def _size(self, shape: tuple[int, ...], least: int) -> tuple[int, int]:
        """A size of the crop's proportions; every octave between least and greatest is as likely."""
        longer = max(shape)
        greatest = max(least, min(SIZE_PX[1], int(longer * GREATEST_ENLARGEMENT)))
        octaves = max(1, int(np.ceil(np.log2(greatest / least))))
        low = least * 2 ** self._draw(0, octaves - 1)
        size = min(greatest, self._draw(low, 2 * low))
        rows, columns = (max(4, round(side * size / longer)) for side in shape)
        return rows, columns

    def _crossing_row(self, rows: int) -> int:
        border = ROWS_PER_FRAME * self._draw(1, max(1, self._rows // ROWS_PER_FRAME - 1))
        return border - self._draw(rows * 2 // 5, rows * 3 // 5)

    def _crossing_column(self, columns: int) -> int:
        middle = (SECOND_CAMERA_COLUMN + COLUMNS_PER_CAMERA) // 2
        return middle - columns // 2 + self._draw(-4, 4)
