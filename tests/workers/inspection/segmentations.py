"""Networks that need no weights, and frames to show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.codecs import encode_frame
from ingest.records import EncodedFrame, FrameHeader

SIZE = 64
Pixels = NDArray[np.uint8]


class DarkIsDefect:
    """Finds what is darker than strip."""

    tile_size = SIZE
    peak = 240
    name = "dark-is-defect"
    version = "1"
    digest = "0" * 32

    def __init__(self) -> None:
        self.seen: list[Pixels] = []

    def segment(self, tiles: Sequence[Pixels]) -> list[Pixels]:
        self.seen += tiles
        return [np.where(tile < 90, 255, 0).astype(np.uint8) for tile in tiles]


@dataclass(frozen=True)
class Verdict:
    defect_class: str
    confidence: float


class WideIsScratch:
    """Tells classes by the form of a finding."""

    name = "wide-is-scratch"
    version = "2"
    digest = "a" * 32

    def classify(self, pixels: Pixels, mask: NDArray[np.bool_], top: int, left: int) -> Verdict:
        assert pixels[top : top + mask.shape[0], left : left + mask.shape[1]][mask].max() < 90
        wide = mask.shape[1] > mask.shape[0]
        return Verdict("scratch" if wide else "unknown", 0.875 if wide else 0.25)


def strip(height: int = 100, width: int = 150, left: int = 0, right: int | None = None) -> Pixels:
    """Bright strip with some grain between two columns, nearly dark beside it."""
    pixels = np.random.default_rng(height + width).integers(2, 8, (height, width), dtype=np.uint8)
    pixels[:, left : width if right is None else right] += 140
    return pixels


def frame(pixels: Pixels, sequence: int = 0, **changes: Any) -> EncodedFrame:
    data, digest = encode_frame(pixels, "zstd")
    fields: dict[str, Any] = {
        "line": "line-1",
        "coil": "C-7",
        "run": 1,
        "side": "top",
        "camera": "left",
        "sequence": sequence,
        "along_mm": 1000.0 + sequence * 50,
        "across_mm": 200.0,
        "mm_per_row": 0.5,
        "mm_per_column": 0.25,
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": "zstd",
        "digest": digest,
    }
    return EncodedFrame(FrameHeader(**(fields | changes)), data)
