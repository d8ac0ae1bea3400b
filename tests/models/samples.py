"""Small pictures of steel with a dark patch, for tests of training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.data.folders import Sample


def patch_sample(name: str, seed: int, side: int = 64) -> Sample:
    """Grey grain with one dark rectangle, and its mask."""
    generator = np.random.default_rng(seed)
    image = generator.normal(140, 6, (side, side))
    mask = np.zeros((side, side), dtype=np.uint8)
    row, column = generator.integers(4, side // 2, 2)
    mask[row : row + side // 3, column : column + side // 4] = 255
    image[mask > 0] -= 70
    return Sample(name, np.clip(image, 0, 255).astype(np.uint8), mask)


def clean_sample(name: str, seed: int, side: int = 64) -> Sample:
    """The same grain with nothing on it."""
    sample = patch_sample(name, seed, side)
    image = np.where(sample.mask > 0, sample.image + 70, sample.image).astype(np.uint8)
    return Sample(name, image, np.zeros_like(sample.mask))


def write_sample(folder: Path, sample: Sample) -> None:
    """Write a sample as a training folder holds it."""
    for kind, pixels in (("images", sample.image), ("masks", sample.mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / kind / f"{sample.name}.png"), pixels)
