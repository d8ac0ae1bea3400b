"""Seeded augmentation: what a camera, a lamp and a strip may change without changing the defect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data.folders import MARKED_OVER, Sample

MAX_ASPECT = 1.25
"""Stretch of a crop. Stronger stretch turns patches into scratches."""

MAX_GRADIENT = 0.3
"""Illumination at the edge of a tile against its middle; line lamps fall off by about this across a band."""

MAX_NOISE = 8.0
"""Grey levels, standard deviation of sensor noise."""


@dataclass(frozen=True)
class Augmentation:
    """Crop, turn, light and noise.

    Attributes:
        size_px: side of the square that comes out.
        min_zoom: smallest scale of the output against the source image.
        max_zoom: largest such scale.
        defect_share: share of crops that are sure to show a defect, small ones being cropped away else.
        upright: nothing is turned or mirrored.
    """

    size_px: int
    min_zoom: float = 0.8
    max_zoom: float = 1.6
    defect_share: float = 0.0
    upright: bool = False

    def apply(self, sample: Sample, generator: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return an augmented image and mask.

        Args:
            sample: image and mask of any size.
            generator: the only source of chance.

        Returns:
            Image (size, size), 0 to 255, whole grey levels; mask (size, size), 0 to 1, soft at its edges.
        """
        image, mask = self._crop(sample, generator)
        if not self.upright:
            image, mask = _turn(image, mask, int(generator.integers(8)))
        pixels = _light(image.astype(np.float32), generator)
        pixels = _blur_and_noise(pixels, generator)
        whole = np.clip(np.rint(pixels), 0, 255).astype(np.float32)
        return whole, mask.astype(np.float32) / np.float32(255)

    def _crop(self, sample: Sample, generator: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        zoom = np.exp(generator.uniform(np.log(self.min_zoom), np.log(self.max_zoom)))
        aspect = np.exp(generator.uniform(-np.log(MAX_ASPECT), np.log(MAX_ASPECT)) / 2)
        height, width = sample.image.shape
        crop_height = int(min(height, max(1, round(self.size_px / zoom * aspect))))
        crop_width = int(min(width, max(1, round(self.size_px / zoom / aspect))))
        seeks_defect = self.defect_share > 0 and generator.random() < self.defect_share
        if seeks_defect and not sample.is_clean:
            row, column = _marked_point(sample, generator)
            top = _start(row, crop_height, height, generator)
            left = _start(column, crop_width, width, generator)
        else:
            top = int(generator.integers(height - crop_height + 1))
            left = int(generator.integers(width - crop_width + 1))
        window = np.s_[top : top + crop_height, left : left + crop_width]
        size = (self.size_px, self.size_px)
        # Bilinear enlarging as in use; masks stay soft, so that a thin scratch keeps its width on average.
        shrinks = crop_height > self.size_px
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return (
            cv2.resize(sample.image[window], size, interpolation=method),
            cv2.resize(sample.mask[window], size, interpolation=method),
        )


def _marked_point(sample: Sample, generator: Generator) -> tuple[int, int]:
    marked = np.flatnonzero(sample.mask > MARKED_OVER)
    row, column = divmod(int(marked[generator.integers(len(marked))]), sample.mask.shape[1])
    return row, column


def _start(point: int, length: int, side: int, generator: Generator) -> int:
    """Start of a stretch of a side that holds a point, any such stretch as likely as any other."""
    first, last = max(0, point - length + 1), min(point, side - length)
    return int(generator.integers(first, last + 1))


def _turn(image: NDArray[Any], mask: NDArray[Any], symmetry: int) -> tuple[NDArray[Any], NDArray[Any]]:
    turned = [np.rot90(plane, symmetry % 4) for plane in (image, mask)]
    if symmetry >= 4:
        turned = [np.fliplr(plane) for plane in turned]
    return turned[0], turned[1]


def _light(pixels: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
    contrast, brightness = generator.uniform(0.65, 1.4), generator.uniform(-30, 30)
    mean = float(pixels.mean())
    lit = (pixels - mean) * contrast + mean + brightness
    if generator.random() < 0.5:
        angle, strength = generator.uniform(0, 2 * np.pi), generator.uniform(0, MAX_GRADIENT)
        rows, columns = np.linspace(-1, 1, lit.shape[0])[:, None], np.linspace(-1, 1, lit.shape[1])[None, :]
        lit *= (1 + strength * (np.sin(angle) * rows + np.cos(angle) * columns)).astype(np.float32)
    return lit.astype(np.float32)


def _blur_and_noise(pixels: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
    if generator.random() < 0.2:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), generator.uniform(0.4, 1.0)), dtype=np.float32)
    if generator.random() < 0.5:
        deviation = np.float32(generator.uniform(0, MAX_NOISE))
        pixels = pixels + deviation * generator.standard_normal(pixels.shape, dtype=np.float32)
    return pixels
