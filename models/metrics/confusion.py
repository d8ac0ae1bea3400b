"""Found and true, counted at one threshold or at all 256 at once, and the ratios of these counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.levels import BACKGROUND, FOREGROUND, Counts
from models.metrics.pair import EPSILON

F_BETA_SQUARED = 0.3
"""Precision weighs more than recall, as in Achanta et al. and all who compare with them."""

THRESHOLDS = np.arange(256)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixels found, at one threshold (0-d arrays) or at 256 ascending ones ((256,) arrays).

    Attributes:
        hits: pixels found in the foreground (true positives).
        false_alarms: pixels found in the background (false positives).
        foreground_px: pixels of the mask's foreground.
        background_px: all other pixels.
    """

    hits: Counts
    false_alarms: Counts
    foreground_px: int
    background_px: int

    @property
    def found(self) -> Counts:
        """All pixels found."""
        return self.hits + self.false_alarms


def at_every_threshold(counts: Counts, table: NDArray[np.float64]) -> Confusion:
    """Count at thresholds 0..255 what is at or over them.

    Args:
        counts: (2, 256) level counts.
        table: (256,) ascending values of the levels in [0, 1]; they are cut off, not rounded, to 0..255.
    """
    first_level = np.searchsorted((table * 255).astype(np.uint8), THRESHOLDS)
    at_or_over = np.zeros((2, 257))
    at_or_over[:, :256] = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    found = at_or_over[:, first_level]
    return Confusion(found[FOREGROUND], found[BACKGROUND], *_sizes(counts))


def where(selected: NDArray[np.bool_], counts: Counts) -> Confusion:
    """Count what the selected levels find; `selected` is (256,)."""
    found = counts @ selected
    return Confusion(found[FOREGROUND], found[BACKGROUND], *_sizes(counts))


def precision(confusion: Confusion) -> NDArray[np.float64]:
    """Return the share of what was found that is true; 0 where nothing was found."""
    return _ratio(confusion.hits, confusion.found)


def recall(confusion: Confusion) -> NDArray[np.float64]:
    """Return the share of the foreground that was found; 0 for an empty mask."""
    return _ratio(confusion.hits, np.asarray(confusion.foreground_px))


def f_measure(confusion: Confusion) -> NDArray[np.float64]:
    """Return the F-measure with beta squared 0.3; 0 for an empty mask.

    Source: Achanta et al., "Frequency-tuned Salient Region Detection" (CVPR 2009).
    """
    weighted = F_BETA_SQUARED * confusion.foreground_px + confusion.found
    return _ratio((1 + F_BETA_SQUARED) * confusion.hits, weighted)


def dice(confusion: Confusion) -> NDArray[np.float64]:
    """Return the Dice coefficient; 0 for an empty mask, even where nothing was found.

    Source: Dice, "Measures of the Amount of Ecologic Association Between Species" (Ecology 1945).
    """
    return _ratio(2 * confusion.hits, confusion.foreground_px + confusion.found)


def iou(confusion: Confusion) -> NDArray[np.float64]:
    """Return intersection over union; 0 for an empty mask, even where nothing was found.

    Source: Jaccard, "The Distribution of the Flora in the Alpine Zone" (New Phytologist 1912).
    """
    return _ratio(confusion.hits, confusion.foreground_px + confusion.false_alarms)


def _sizes(counts: Counts) -> tuple[int, int]:
    return int(counts[FOREGROUND].sum()), int(counts[BACKGROUND].sum())


def _ratio(numerator: Counts, denominator: Counts) -> NDArray[np.float64]:
    """Divide counts; 0 / 0, of nothing found or nothing true, is 0."""
    result: NDArray[np.float64] = numerator / np.maximum(denominator, EPSILON)
    return result
