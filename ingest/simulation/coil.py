"""A coil of simulated strip under two cameras, made frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.records import CameraBand, Identifier
from ingest.simulation.truth import Family, Half, SimulatedTruth

ROWS_PER_FRAME = 480


class SimulatedCoil:
    """A coil of simulated strip under two overlapping cameras on its top side."""

    def __init__(
        self,
        length_m: float = 24.0,
        seed: int = 7,
        half: Half = "judge",
        line: Identifier = "demo-line",
        coil: Identifier = "demo-coil",
        family: Family = "scaled",
    ) -> None:
        raise NotImplementedError

    @property
    def bands(self) -> tuple[CameraBand, ...]:
        """The two cameras, from the drive side."""
        raise NotImplementedError

    @property
    def rows_per_frame(self) -> int:
        """Rows of every frame, the last one included."""
        return ROWS_PER_FRAME

    @property
    def frames_per_camera(self) -> int:
        """Frames that each camera takes of the coil."""
        raise NotImplementedError

    def along_mm(self, sequence: int) -> float:
        """Position of row 0 of a frame from the head of the coil, in mm."""
        raise NotImplementedError

    def frame(self, camera_index: int, sequence: int) -> NDArray[np.uint8]:
        """One frame, `(480, 480)` uint8."""
        raise NotImplementedError

    def mask(self, camera_index: int, sequence: int) -> NDArray[np.uint8]:
        """The truth pixels of one frame, `(480, 480)` uint8, 0 or 255."""
        raise NotImplementedError

    def truth(self) -> SimulatedTruth:
        """What was planted."""
        raise NotImplementedError
