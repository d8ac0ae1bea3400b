"""The bundled defect crops: local differences from plain ground, cut from X-SDD images."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ingest.records import Record
from ingest.simulation.truth import Half, Kind

ZERO_LEVEL = 128
"""Level of no difference, as `scripts/make-defect-crops` writes it; the strongest pixel is 127 away."""


class CropEntry(Record):
    """One crop of the index: the X-SDD image's name, the kind of defect, and its half."""

    name: str
    kind: Kind
    half: Half


@cache
def crop_index() -> tuple[CropEntry, ...]:
    """Every bundled crop, ordered by name."""
    text = (files(__package__) / "index.json").read_text("utf-8")
    return TypeAdapter(tuple[CropEntry, ...]).validate_python(json.loads(text))


def crops_of(half: Half, *kinds: Kind) -> tuple[CropEntry, ...]:
    """The crops of one half and of the kinds named."""
    return tuple(entry for entry in crop_index() if entry.half == half and entry.kind in kinds)


@cache
def crop_levels(name: str) -> NDArray[np.int64]:
    """A crop's difference from its ground, up to a factor: `(H, W)` int64, -127 to 127, read-only."""
    data = (files(__package__) / f"{name}.png").read_bytes()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f"bundled crop {name}.png is not a PNG image")
    levels = image.astype(np.int64) - ZERO_LEVEL
    levels.setflags(write=False)
    return levels
