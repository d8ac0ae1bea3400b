"""The two cameras of the simulated line, their light, and the strip's edges under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.records import CameraBand
from ingest.simulation.noise import SlowNoise, generator, smooth_noise

STREAM_LIGHT = 2
STREAM_EDGES = 3

MM_PER_PX = 0.5
COLUMNS_PER_CAMERA = 480
SECOND_CAMERA_COLUMN = 440
"""First strip column of the second camera: 20 mm are seen by both."""
STRIP_COLUMNS = SECOND_CAMERA_COLUMN + COLUMNS_PER_CAMERA

EDGES_MM = (18.0, 442.0)
EDGE_WANDER_MM = 0.7
"""Standard deviation of each edge's wandering. Beyond 3 mm edges would come near the planted defects."""
EDGE_KNOT_ROWS = 1200
EDGE_BLUR_MM = 1.0
EDGE_SHADE_MM = 9.0
EDGE_SHADE = 0.10
"""Strip cools sooner at its edges and is a little darker there."""
DARK_SHARE = 0.08
"""Light beside the strip: scattered from it, so it keeps a trace of grain and is never quite constant."""

BANDS = tuple(
    CameraBand(
        side="top",
        camera=camera,
        across_mm=column * MM_PER_PX,
        columns=COLUMNS_PER_CAMERA,
        mm_per_row=MM_PER_PX,
        mm_per_column=MM_PER_PX,
    )
    for camera, column in (("left", 0), ("right", SECOND_CAMERA_COLUMN))
)


def strip_columns(camera_index: int) -> slice:
    """The strip columns that a camera sees."""
    first = (0, SECOND_CAMERA_COLUMN)[camera_index]
    return slice(first, first + COLUMNS_PER_CAMERA)


def light_profiles(seed: int) -> tuple[NDArray[np.float32], ...]:
    """Each camera's light across its columns, about 1: gain, a tilt and darker corners, `(columns,)`."""
    random = generator(seed, STREAM_LIGHT)
    across = (np.arange(COLUMNS_PER_CAMERA) * 2 + 1 - COLUMNS_PER_CAMERA) / COLUMNS_PER_CAMERA
    profiles = []
    for _ in BANDS:
        gain = int(random.integers(950, 1051)) / 1000
        tilt = int(random.integers(-60, 61)) / 1000
        fall = int(random.integers(60, 181)) / 1000
        profiles.append((gain * (1 + tilt * across - fall * across * across)).astype(np.float32))
    return tuple(profiles)


class StripEdges:
    """Where the strip begins and ends across, wandering slowly along the coil."""

    def __init__(self, seed: int) -> None:
        random = generator(seed, STREAM_EDGES)
        wander = smooth_noise(random, (1009, 2), (1, 1)) * np.float32(EDGE_WANDER_MM)
        self._wander = SlowNoise(wander, EDGE_KNOT_ROWS)

    def at(self, first_row: int, rows: int) -> NDArray[np.float32]:
        """Left and right edge of each row in mm, `(rows, 2)` float32."""
        return self._wander.at(first_row, rows, slice(None)) + np.array(EDGES_MM, np.float32)

    def cut(self, image: NDArray[np.float32], camera_index: int, first_row: int) -> None:
        """Darken a camera's image beside the strip, in place; `(rows, columns)` float32."""
        columns = strip_columns(camera_index)
        across_mm = ((np.arange(columns.start, columns.stop) + 0.5) * MM_PER_PX).astype(np.float32)
        reach_mm = EDGE_SHADE_MM + 4 * EDGE_WANDER_MM
        near = across_mm < EDGES_MM[0] + reach_mm if camera_index == 0 else across_mm > EDGES_MM[1] - reach_mm
        sign = np.float32(1 if camera_index == 0 else -1)
        edge_mm = self.at(first_row, len(image))[:, camera_index, None]
        inside_mm = (across_mm[near] - edge_mm) * sign
        share = np.clip(inside_mm / np.float32(EDGE_BLUR_MM) + np.float32(0.5), 0, 1)
        shade = np.clip(1 - inside_mm / np.float32(EDGE_SHADE_MM), 0, 1) * np.float32(EDGE_SHADE)
        image[:, near] *= share * (1 - shade) + (1 - share) * np.float32(DARK_SHARE)
