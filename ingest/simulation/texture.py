"""The strip's own surface: grain, mottling, and streaks along the rolling direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.noise import SlowNoise, generator, smooth_noise
from ingest.simulation.truth import Family

STREAM = 1

PERIODS_ROWS = (509, 701)
"""Periods of the two fine layers. Coprime, so that their sum repeats only after 178 m at 0.5 mm a row."""

PERIODS_KNOTS = (127, 151)
"""Periods of the two slow layers, in knots; coprime likewise."""

KNOT_SPACING_ROWS = 96
"""Rows between the knots of slow layers: short streaks of real strip fade over some 50 to 200 mm."""


@dataclass(frozen=True)
class FamilyLook:
    """How strip of one texture family looks; amplitudes relative to its brightness.

    Attributes:
        brightness: least and greatest mean grey level of a coil.
        grain, grain_px: amplitude and smoothing of the fine grain (along, across).
        mottle, mottle_px: amplitude and smoothing of blotches.
        streak, streak_px: amplitude and width of streaks that come and go.
        line: amplitude of fine lines that run the length of the coil.
        cloud: amplitude of broad changes across the strip.
    """

    brightness: tuple[int, int]
    grain: float
    grain_px: tuple[int, int]
    mottle: float
    mottle_px: tuple[int, int]
    streak: float
    streak_px: int
    line: float
    cloud: float


LOOKS: dict[Family, FamilyLook] = {
    "scaled": FamilyLook((100, 140), 0.022, (2, 1), 0.020, (14, 7), 0.014, 3, 0.006, 0.025),
    "brushed": FamilyLook((125, 165), 0.016, (9, 1), 0.008, (40, 2), 0.020, 1, 0.014, 0.018),
    "pickled": FamilyLook((85, 120), 0.024, (3, 1), 0.014, (28, 12), 0.018, 6, 0.008, 0.030),
}

TRAINING_FAMILIES: tuple[Family, ...] = ("scaled", "brushed")
"""Those that training tiles show; a network that has learnt them by heart fails on the other."""


class StripTexture:
    """The brightness of clean strip at any row and column, without light and without edges."""

    def __init__(self, seed: int, family: Family, columns: int) -> None:
        look = LOOKS[family]
        random = generator(seed, STREAM)
        low, high = look.brightness
        self._brightness = int(random.integers(low, high + 1))
        self._fine = [self._fine_layer(random, look, period, columns) for period in PERIODS_ROWS]
        self._slow = [self._slow_layer(random, look, period, columns) for period in PERIODS_KNOTS]

    def at(self, first_row: int, rows: int, columns: slice) -> NDArray[np.float32]:
        """Grey levels of a stretch of strip, `(rows, columns)` float32."""
        surface = self._slow[0].at(first_row, rows, columns)
        surface += self._slow[1].at(first_row, rows, columns)
        for layer in self._fine:
            start = first_row % len(layer)
            row = 0
            while row < rows:
                count = min(len(layer) - start, rows - row)
                surface[row : row + count] += layer[start : start + count, columns]
                row, start = row + count, 0
        return surface

    def _fine_layer(
        self, random: np.random.Generator, look: FamilyLook, period: int, columns: int
    ) -> NDArray[np.float32]:
        shape = (period, columns)
        grain = smooth_noise(random, shape, look.grain_px) * np.float32(look.grain)
        mottle = smooth_noise(random, shape, look.mottle_px) * np.float32(look.mottle)
        return (grain + mottle) * np.float32(self._brightness)

    def _slow_layer(
        self, random: np.random.Generator, look: FamilyLook, period: int, columns: int
    ) -> SlowNoise:
        shape = (period, columns)
        streaks = smooth_noise(random, shape, (1, look.streak_px)) * np.float32(look.streak)
        clouds = smooth_noise(random, shape, (2, columns // 6)) * np.float32(look.cloud)
        lines = smooth_noise(random, (1, columns), (1, 1)) * np.float32(look.line)
        half = np.float32(0.5)
        return SlowNoise((half + streaks + clouds + lines) * np.float32(self._brightness), KNOT_SPACING_ROWS)
