"""Saliency maps of training images, kept: networks take minutes for them, and a run that goes on has some."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classes.crops import Grey
from models.classes.images import HALF
from models.image_files import read_grey
from models.weights.files import write_atomically


class KeptMaps:
    """Makes maps of two levels, 0 and 255, and keeps them as files by the content of their images.

    Args:
        make: of an image (H, W) uint8 its map.
        folder: of the files of this network alone.
    """

    def __init__(self, make: Callable[[Grey], NDArray[np.uint8]], folder: Path) -> None:
        self._make = make
        self._folder = folder

    def __call__(self, pixels: Grey) -> Grey:
        """Return the map of an image."""
        name = hashlib.blake2b(f"{pixels.shape}".encode() + pixels.tobytes(), digest_size=16).hexdigest()
        path = self._folder / f"{name}.png"
        if path.exists():
            return read_grey(path)
        made = np.where(self._make(pixels) >= HALF, 255, 0).astype(np.uint8)
        write_atomically(path, cv2.imencode(".png", made)[1].tobytes())
        return made
