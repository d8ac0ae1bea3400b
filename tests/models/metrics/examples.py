"""Maps and masks to score: two with published figures, and such as trip a metric up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

ROW, COLUMN = np.mgrid[:16, :16]


def _mask(of: NDArray[np.bool_]) -> Image:
    return np.where(of, 255, 0).astype(np.uint8)


MASK_A = _mask((ROW >= 4) & (ROW < 12) & (COLUMN >= 5) & (COLUMN < 13))
MAP_A: Image = np.where(
    (ROW >= 5) & (ROW < 13) & (COLUMN >= 4) & (COLUMN < 12),
    180 + (7 * ROW + 3 * COLUMN) % 60,
    (11 * ROW + 5 * COLUMN) % 70,
).astype(np.uint8)
MASK_B = _mask((ROW >= 2) & (ROW < 6) & (COLUMN >= 2) & (COLUMN < 14))
MAP_B: Image = np.where(
    (ROW >= 2) & (ROW < 6) & (COLUMN >= 3) & (COLUMN < 15),
    120 + (13 * ROW + 5 * COLUMN) % 120,
    (3 * ROW * COLUMN) % 100,
).astype(np.uint8)

ZEROS = np.zeros((16, 16), np.uint8)
FULL = np.full((16, 16), 255, np.uint8)
HALF = np.full((16, 16), 128, np.uint8)


def blurred(mask: Image, seed: int) -> Image:
    """A map as a network might give: the mask moved, blurred, dimmed and noisy."""
    random = np.random.default_rng(seed)
    moved = np.roll(mask, random.integers(-4, 5, size=2), (0, 1))
    soft = cv2.GaussianBlur(moved, (0, 0), random.uniform(0.5, 6)) * random.uniform(0.4, 1)
    noisy = soft + random.normal(random.uniform(0, 20), random.uniform(0, 12), mask.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def defects(height: int, width: int, seed: int) -> Image:
    """A mask of some discs and streaks, some of them cut off by the edge."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(random.integers(1, 6))):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        if random.random() < 0.5:
            cv2.circle(mask, (x, y), int(random.integers(1, max(2, min(height, width) // 5))), 255, -1)
        else:
            end = (int(random.integers(0, width)), int(random.integers(0, height)))
            cv2.line(mask, (x, y), end, 255, int(random.integers(1, 6)))
    return mask


def one_pixel(height: int, width: int, row: int, column: int) -> Image:
    """A mask of one pixel."""
    mask = np.zeros((height, width), np.uint8)
    mask[row, column] = 255
    return mask


def noise(height: int, width: int, seed: int) -> Image:
    """A map of every level anywhere."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
