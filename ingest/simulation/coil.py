"""A coil of simulated strip under two cameras, made frame by frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ingest.records import CameraBand, Identifier
from ingest.simulation.cameras import (
    BANDS,
    MM_PER_PX,
    STRIP_COLUMNS,
    StripEdges,
    light_profiles,
    strip_columns,
)
from ingest.simulation.plan import ROLL_CIRCUMFERENCE_MM, ROWS_PER_FRAME, CoilPlan
from ingest.simulation.planting import Planting, difference, truth_pixels
from ingest.simulation.texture import StripTexture
from ingest.simulation.truth import EdgeSample, Family, Half, PlantedDefect, SimulatedTruth

DEFECTS_PER_M = 1.8
"""With roll mark and scratch a 24 m coil has some 55 defects and still metres of clean strip."""

EDGE_SAMPLE_ROWS = 80
"""40 mm: straight lines between the samples stay within 0.02 mm of the wandering edges."""


class SimulatedCoil:
    """A coil of simulated strip under two overlapping cameras on its top side.

    Nothing but small layers of texture is held in memory: any stretch of strip is made when it is asked
    for, in any order, with the same pixels every time and on every machine.

    Args:
        length_m: length of the coil, rounded up to whole frames.
        seed: everything follows from it.
        half: which half of the bundled crops its defects are made from.
        line: id of the line.
        coil: id of the coil.
        family: texture of the strip.
        defects_per_m: single defects besides the long scratch and the roll mark.

    Raises:
        ValueError: length not above zero, or a negative seed.
    """

    def __init__(
        self,
        length_m: float = 24.0,
        seed: int = 7,
        half: Half = "judge",
        *,
        line: Identifier = "demo-line",
        coil: Identifier = "demo-coil",
        family: Family = "scaled",
        defects_per_m: float = DEFECTS_PER_M,
    ) -> None:
        if not 0 < length_m < math.inf or seed < 0:
            raise ValueError(f"expected a length above 0 m and a seed from 0, got {length_m} m, seed {seed}")
        self.seed, self.half, self.line, self.coil, self.family = seed, half, line, coil, family
        self._frames = math.ceil(round(length_m * 1000 / (ROWS_PER_FRAME * MM_PER_PX), 6))
        self._texture = StripTexture(seed, family, STRIP_COLUMNS)
        self._edges = StripEdges(seed)
        self._lights = light_profiles(seed)
        self._plantings = CoilPlan(seed, half, self._frames * ROWS_PER_FRAME, defects_per_m).plantings

    @property
    def bands(self) -> tuple[CameraBand, ...]:
        """The two cameras, from the drive side."""
        return BANDS

    @property
    def rows_per_frame(self) -> int:
        """Rows of every frame, the last one included."""
        return ROWS_PER_FRAME

    @property
    def frames_per_camera(self) -> int:
        """Frames that each camera takes of the coil."""
        return self._frames

    @property
    def plantings(self) -> tuple[Planting, ...]:
        """The planted defects, in order of their first row."""
        return self._plantings

    def along_mm(self, sequence: int) -> float:
        """Position of row 0 of a frame from the head of the coil, in mm."""
        return sequence * ROWS_PER_FRAME * MM_PER_PX

    def frame(self, camera_index: int, sequence: int) -> NDArray[np.uint8]:
        """One frame, `(480, 480)` uint8."""
        return self.picture(camera_index, sequence * ROWS_PER_FRAME, ROWS_PER_FRAME)

    def mask(self, camera_index: int, sequence: int) -> NDArray[np.uint8]:
        """The truth pixels of one frame, `(480, 480)` uint8, 0 or 255."""
        return self.truth_picture(camera_index, sequence * ROWS_PER_FRAME, ROWS_PER_FRAME)

    def picture(
        self, camera_index: int, first_row: int, rows: int, *, planted: bool = True
    ) -> NDArray[np.uint8]:
        """What a camera sees of any stretch of rows.

        Args:
            camera_index: index into `bands`.
            first_row: first strip row, from 0.
            rows: how many rows.
            planted: False shows the same strip without its defects.

        Returns:
            `(rows, 480)` uint8.
        """
        columns = strip_columns(camera_index)
        image = self._texture.at(first_row, rows, columns)
        for planting in self._shown(columns, first_row, rows) if planted else ():
            here, there = _overlap(planting, columns, first_row, rows)
            image[here] *= 1 + difference(planting)[there]
        image *= self._lights[camera_index]
        self._edges.cut(image, camera_index, first_row)
        np.rint(image, out=image)
        return np.clip(image, 0, 255, out=image).astype(np.uint8)

    def truth_picture(self, camera_index: int, first_row: int, rows: int) -> NDArray[np.uint8]:
        """The truth pixels of any stretch of rows, `(rows, 480)` uint8, 0 or 255; see `picture`."""
        columns = strip_columns(camera_index)
        mask = np.zeros((rows, columns.stop - columns.start), np.uint8)
        for planting in self._shown(columns, first_row, rows):
            here, there = _overlap(planting, columns, first_row, rows)
            mask[here][truth_pixels(planting)[there]] = 255
        return mask

    def truth(self) -> SimulatedTruth:
        """What was planted, with the extents and areas of its truth pixels."""
        rows = self._frames * ROWS_PER_FRAME
        edges = self._edges.at(0, rows + 1)[::EDGE_SAMPLE_ROWS].tolist()
        defects = sorted(
            (self._planted_defect(planting) for planting in self._plantings),
            key=lambda defect: (defect.start_mm, defect.left_mm),
        )
        return SimulatedTruth(
            line=self.line,
            coil=self.coil,
            side=BANDS[0].side,
            seed=self.seed,
            half=self.half,
            family=self.family,
            length_mm=rows * MM_PER_PX,
            roll_circumference_mm=ROLL_CIRCUMFERENCE_MM,
            cameras=BANDS,
            edges=tuple(
                EdgeSample(
                    along_mm=index * EDGE_SAMPLE_ROWS * MM_PER_PX,
                    left_mm=round(left, 3),
                    right_mm=round(right, 3),
                )
                for index, (left, right) in enumerate(edges)
            ),
            defects=tuple(defect.model_copy(update={"id": number}) for number, defect in enumerate(defects)),
        )

    def _shown(self, columns: slice, first_row: int, rows: int) -> list[Planting]:
        return [
            one
            for one in self._plantings
            if one.row < first_row + rows
            and one.end_row > first_row
            and one.column < columns.stop
            and one.end_column > columns.start
        ]

    def _planted_defect(self, planting: Planting) -> PlantedDefect:
        truth = truth_pixels(planting)
        rows, columns = np.nonzero(truth)
        changes = np.sort(np.abs(difference(planting)[truth]))
        return PlantedDefect(
            id=0,
            kind=planting.kind,
            crop=planting.crop,
            half=self.half,
            start_mm=(planting.row + int(rows.min())) * MM_PER_PX,
            end_mm=(planting.row + int(rows.max()) + 1) * MM_PER_PX,
            left_mm=(planting.column + int(columns.min())) * MM_PER_PX,
            right_mm=(planting.column + int(columns.max()) + 1) * MM_PER_PX,
            area_mm2=rows.size * MM_PER_PX**2,
            contrast=round(float(changes[changes.size // 2]), 4),
        )


def _overlap(
    planting: Planting, columns: slice, first_row: int, rows: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of a stretch of strip that a defect covers: as slices of the stretch and of the defect."""
    top, bottom = max(planting.row, first_row), min(planting.end_row, first_row + rows)
    left, right = max(planting.column, columns.start), min(planting.end_column, columns.stop)
    here = slice(top - first_row, bottom - first_row), slice(left - columns.start, right - columns.start)
    there = (
        slice(top - planting.row, bottom - planting.row),
        slice(left - planting.column, right - planting.column),
    )
    return here, there
