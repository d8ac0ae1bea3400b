"""Tiles in, saliency maps out: one trained network on one device in one precision, gated or not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import TileError
from models.gate import Gate
from models.inference.backend import TILE_SIZE, Backend
from models.inference.opening import BackendChoice, PrecisionChoice, open_backend
from models.tiling import blend, cut
from models.weights import WeightsInfo, locate

OVERLAP_PX = 64
"""Shared by neighbouring tiles of an image: near its border a tile lacks context, its neighbour counts."""
PEAK_LOGIT = 2.75
"""Saliency 240 of 255 unsharpened: a defect's most salient pixel gets there, texture does not.

Above a sharpness of 2.3 it rounds to 255, which somewhat smaller logits reach too: 2.08 at 3.
"""
MAX_LOGIT = 30.0
"""Beyond it the sigmoid rounds to 0 or 255 anyway, and the exponential would overflow in float32."""


class Segmenter:
    """Runs one network on tiles, behind a gate where there is one; any number of threads may call it at once.

    Make one with `Segmenter.open`.

    Attributes:
        tile_size: side of a tile in pixels.
        name: of the weights, and of the gate's.
        version: of the weights, and of the gate's.
        is_gate: whether the weights are a gate's, whose maps tell of a tile and not of pixels.
        peak: saliency that the most salient pixel of a defect reaches in these maps, of 255.
        digest: 32 hex digits over all that decides a map: weights, back end, device, precision, tile size,
            and the gate with its threshold.
    """

    def __init__(self, backend: Backend, name: str, info: WeightsInfo, gate: Gate | None = None) -> None:
        self._backend = backend
        self._gate = gate
        self._sharpness = info.sharpness
        self.tile_size: int = TILE_SIZE
        self.is_gate = info.gate_threshold is not None
        self.peak = int(_to_saliency(np.full(1, PEAK_LOGIT * info.sharpness, np.float32))[0])
        self.name = name if gate is None else f"{name}+{gate.name}"
        self.version = info.version if gate is None else f"{info.version}+{gate.version}"
        facts = [info.digest, backend.identity, TILE_SIZE, *([gate.facts] if gate else [])]
        self.digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()

    @classmethod
    def open(
        cls,
        model: str | Path = "coilnet-m",
        *,
        gate: str | Path | None = None,
        backend: BackendChoice = "auto",
        device: str = "auto",
        precision: PrecisionChoice = "auto",
        threads: int = 1,
    ) -> Segmenter:
        """Load weights and make them ready to run.

        Args:
            model: a shipped name, or the path of a weights file.
            gate: weights of a gate; where it sees no defect the map stays dark and the model is not asked.
            backend: as of `models.inference.opening.open_backend`, for both.
            device: likewise.
            precision: likewise.
            threads: likewise.

        Raises:
            WeightsError: no such weights, not what they should be, or a gate without a threshold.
            BackendError: this machine does not have the back end's device or precision.
        """
        opened = partial(open_backend, backend=backend, device=device, precision=precision, threads=threads)
        before = None if gate is None else Gate(*opened(gate), locate(gate).stem)
        made, info = opened(model)
        return cls(made, locate(model).stem, info, before)

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Return the saliency maps of tiles, in order; a tile's map is the same in any company.

        Args:
            tiles: each (tile_size, tile_size) uint8, grey.

        Returns:
            Maps of the same shape, 0 to 255 for saliency 0 to 1, never stretched to their own range.

        Raises:
            TileError: a tile of another shape or type.
        """
        for tile in tiles:
            self._check(tile)
        passed = self._gate.passes(tiles) if self._gate else [True] * len(tiles)
        logits = iter(
            self._backend.logits([tile for tile, shown in zip(tiles, passed, strict=True) if shown])
        )
        return [
            _to_saliency(next(logits) * self._sharpness) if shown else np.zeros_like(tile)
            for tile, shown in zip(tiles, passed, strict=True)
        ]

    def segment_image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the saliency map of an image of any size.

        An image no larger than a tile is resized to one, a larger one is cut into overlapping tiles.

        Args:
            image: (H, W) uint8, grey.

        Returns:
            Map (H, W), as of `segment`.

        Raises:
            TileError: not a grey uint8 image, or one without pixels.
        """
        if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
            raise TileError(f"expected an image (H, W) uint8, got {image.shape} {image.dtype}")
        height, width = image.shape
        if max(height, width) <= self.tile_size:
            tile = _resize(image, self.tile_size, self.tile_size)
            return _resize(self.segment([tile])[0], height, width)
        tiling = cut(image, self.tile_size, OVERLAP_PX)
        return blend(tiling, self.segment(tiling.tiles))

    def _check(self, tile: NDArray[np.uint8]) -> None:
        expected = (self.tile_size, self.tile_size)
        if tile.shape != expected or tile.dtype != np.uint8:
            raise TileError(f"expected a tile {expected} uint8, got {tile.shape} {tile.dtype}")


def _to_saliency(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    bounded = np.clip(logits, -MAX_LOGIT, MAX_LOGIT)
    saliency: NDArray[np.float32] = np.float32(255) / (np.float32(1) + np.exp(-bounded))
    return np.rint(saliency).astype(np.uint8)


def _resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
