"""Seamless noise that repeats after a known number of steps, equal on every machine.

Sums are taken over integers and only single float operations follow, so no processor rounds differently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIFORM_STEPS = 256
UNIFORM_VARIANCE = (UNIFORM_STEPS**2 - 1) / 12


def generator(seed: int, stream: int) -> np.random.Generator:
    """The random numbers of one purpose (`stream`) of a coil's seed."""
    return np.random.Generator(np.random.PCG64([seed, stream]))


def smooth_noise(
    random: np.random.Generator, shape: tuple[int, int], smoothing: tuple[int, int]
) -> NDArray[np.float32]:
    """Periodic noise of mean 0 and variance 1, smoothed along both axes.

    Args:
        random: where the numbers come from.
        shape: `(rows, columns)`; the noise joins itself at all four sides.
        smoothing: width of the box filter, applied twice, along rows and columns; 1 leaves white noise.

    Returns:
        `shape` float32.
    """
    values = random.integers(0, UNIFORM_STEPS, shape, dtype=np.int64) * 2 - (UNIFORM_STEPS - 1)
    variance = 4 * UNIFORM_VARIANCE
    for axis, width in enumerate(smoothing):
        values = _box(_box(values, width, axis), width, axis)
        weights = np.convolve(np.ones(width, np.int64), np.ones(width, np.int64))
        variance *= float((weights * weights).sum())
    scaled: NDArray[np.float64] = values / np.sqrt(variance)
    return scaled.astype(np.float32)


def _box(values: NDArray[np.int64], width: int, axis: int) -> NDArray[np.int64]:
    if width == 1:
        return values
    turned = np.moveaxis(values, axis, 0)
    extended = np.concatenate([np.zeros_like(turned[:1]), turned, turned[: width - 1]])
    sums: NDArray[np.int64] = np.cumsum(extended, axis=0)
    return np.moveaxis(sums[width:] - sums[:-width], 0, axis)


class SlowNoise:
    """Noise that changes slowly along the strip: knots some rows apart, joined smoothly.

    Args:
        knots: `(knots, columns)` float32, periodic along the first axis.
        spacing_rows: rows from one knot to the next.
    """

    def __init__(self, knots: NDArray[np.float32], spacing_rows: int) -> None:
        self._knots = knots
        self._spacing_rows = spacing_rows

    def at(self, first_row: int, rows: int, columns: slice) -> NDArray[np.float32]:
        """The noise of a stretch of rows, `(rows, columns)` float32."""
        out = np.empty((rows, len(range(*columns.indices(self._knots.shape[1])))), np.float32)
        row = 0
        while row < rows:
            knot, offset = divmod(first_row + row, self._spacing_rows)
            count = min(self._spacing_rows - offset, rows - row)
            here = self._knots[knot % len(self._knots), columns]
            change = self._knots[(knot + 1) % len(self._knots), columns] - here
            share = (np.arange(offset, offset + count) / self._spacing_rows).astype(np.float32)
            eased = share * share * (3 - 2 * share)
            stretch = out[row : row + count]
            np.multiply(eased[:, None], change, out=stretch)
            stretch += here
            row += count
        return out
