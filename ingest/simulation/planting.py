"""One planted defect: which crop, where on the strip, and the difference it makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.crops import crop_levels
from ingest.simulation.noise import SlowNoise, generator, smooth_noise
from ingest.simulation.truth import CONTRAST_FLOOR, Kind

DARKEST, BRIGHTEST = -0.9, 1.2
"""Bounds of the relative difference: deep holes still reflect a little, flakes do not outshine the sensor."""

STRONG_SHARE = (19, 20)
"""The pixel that is stronger than this share of its box stands for a crop's strength: lines fill a tenth."""

CACHED_DIFFERENCES = 64
"""Rendered defects kept: a frame shows a handful; a few hundred kilobytes each at the most."""

WEIGHT_SCALE = 4096

SCRATCH_TAPER_ROWS = 160
SCRATCH_WANDER_ROWS = 700
SCRATCH_WANDER_PX = 1.6
SCRATCH_MARGIN_COLUMNS = 6
"""Columns on both sides in which a scratch may wander."""
SHIFT_STEPS = 64


@dataclass(frozen=True)
class Planting:
    """A defect planted at strip row and column; equal plantings make equal pixels.

    Attributes:
        crop: name of the bundled crop.
        row, column: upper left corner on the strip.
        rows, columns: size on the strip.
        strength: relative difference that the crop's strong pixels get.
        wander_seed: how a long scratch wanders; None for a defect resized as a whole.
    """

    kind: Kind
    crop: str
    row: int
    column: int
    rows: int
    columns: int
    strength: float
    flip_rows: bool = False
    flip_columns: bool = False
    wander_seed: int | None = None

    @property
    def end_row(self) -> int:
        """The row after its last."""
        return self.row + self.rows

    @property
    def end_column(self) -> int:
        """The column after its last."""
        return self.column + self.columns

    def keeps_off(self, other: Planting, gap: int) -> bool:
        """Whether at least `gap` pixels of strip lie between the two boxes."""
        return (
            self.row >= other.end_row + gap
            or other.row >= self.end_row + gap
            or self.column >= other.end_column + gap
            or other.column >= self.end_column + gap
        )


def difference(planting: Planting) -> NDArray[np.float32]:
    """The relative change of brightness that a planted defect makes, `(rows, columns)` float32, read-only."""
    return _difference(
        planting.crop,
        (planting.rows, planting.columns),
        planting.strength,
        (planting.flip_rows, planting.flip_columns),
        planting.wander_seed,
    )


def truth_pixels(planting: Planting) -> NDArray[np.bool_]:
    """The pixels of a planted defect whose change is above the contrast floor, `(rows, columns)` bool."""
    return np.abs(difference(planting)) > np.float32(CONTRAST_FLOOR)


@lru_cache(maxsize=CACHED_DIFFERENCES)
def _difference(
    crop: str, shape: tuple[int, int], strength: float, flips: tuple[bool, bool], wander_seed: int | None
) -> NDArray[np.float32]:
    levels = crop_levels(crop)
    turned = levels[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]
    if wander_seed is None:
        scaled = _resize(_framed(turned, shape), shape)
        gain = strength / _strong_level(scaled)
    else:
        scaled = _draw_out(turned, shape, wander_seed)
        gain = strength / _strong_level(levels)
    change = np.clip(scaled * gain, DARKEST, BRIGHTEST).astype(np.float32)
    change.setflags(write=False)
    return change


def _strong_level(levels: NDArray[np.float64] | NDArray[np.int64]) -> float:
    rank = levels.size * STRONG_SHARE[0] // STRONG_SHARE[1]
    return float(np.partition(np.abs(levels), rank, axis=None)[rank])


def _resize(levels: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Resample by a triangle filter, in integers: BLAS and SIMD resizers round by processor."""
    along, across = (_weights(old, new) for old, new in zip(levels.shape, shape, strict=True))
    return (along @ levels @ across.T) / float(WEIGHT_SCALE**2)


def _framed(levels: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The crop in a frame of bare ground one pixel of the shrunk crop wide, so that its rim ends in it."""
    steps = (-(-old // new) if new < old else 0 for old, new in zip(levels.shape, shape, strict=True))
    return np.pad(levels, [(step, step) for step in steps])


def _weights(old: int, new: int) -> NDArray[np.int64]:
    centres = (2 * np.arange(new, dtype=np.int64)[:, None] + 1) * old - new
    distance = np.abs(centres - 2 * new * np.arange(old, dtype=np.int64))
    triangle = np.maximum(2 * max(old, new) - distance, 0)
    weights: NDArray[np.int64] = triangle * WEIGHT_SCALE // triangle.sum(axis=1, keepdims=True)
    return weights


def _draw_out(levels: NDArray[np.int64], shape: tuple[int, int], seed: int) -> NDArray[np.float64]:
    """Lay a scratch's stretch end to end, mirrored in turn, wandering across and fading in and out."""
    rows, columns = shape
    width = columns - 2 * SCRATCH_MARGIN_COLUMNS
    line = np.zeros((len(levels) * 2, columns), np.float64)
    line[:, SCRATCH_MARGIN_COLUMNS : SCRATCH_MARGIN_COLUMNS + width] = _resize(
        np.concatenate([levels, levels[::-1]]), (len(levels) * 2, width)
    )
    random = generator(seed, 0)
    curves = SlowNoise(
        smooth_noise(random, (rows // SCRATCH_WANDER_ROWS + 3, 2), (1, 1)), SCRATCH_WANDER_ROWS
    )
    wander, pressure = curves.at(0, rows, slice(None)).T.astype(np.float64)
    shift = np.rint(np.clip(wander * SCRATCH_WANDER_PX, -5, 5) * SHIFT_STEPS).astype(np.int64)
    whole, part = np.divmod(shift, SHIFT_STEPS)
    index = np.arange(columns) - whole[:, None]
    tiled = np.take(line, np.arange(rows) % len(line), axis=0)
    here = np.take_along_axis(tiled, np.clip(index, 0, columns - 1), axis=1)
    before = np.take_along_axis(tiled, np.clip(index - 1, 0, columns - 1), axis=1)
    drawn = here + (before - here) * (part / SHIFT_STEPS)[:, None]
    ends = np.minimum(np.arange(rows), np.arange(rows)[::-1]) + 1
    fade = np.clip(ends / SCRATCH_TAPER_ROWS, 0, 1) * np.clip(0.85 + 0.12 * pressure, 0.6, 1.0)
    return np.asarray(drawn * fade[:, None])
