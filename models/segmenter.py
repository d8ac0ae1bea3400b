"""Tiles in, saliency maps out: one trained network on one device in one precision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import BackendError, TileError
from models.inference.backend import TILE_SIZE, Backend, Precision
from models.inference.compiled_graph import has_native_bfloat16
from models.inference.openvino_backend import OpenvinoBackend
from models.inference.torch_backend import TorchBackend
from models.tiling import blend, cut
from models.weights import WeightsInfo, load_grey, locate

BackendChoice = Literal["auto", "torch", "openvino"]
PrecisionChoice = Literal["auto", "fp32", "bf16"]

OVERLAP_PX = 64
"""Shared by neighbouring tiles of an image: near its border a tile lacks context, its neighbour counts."""
MAX_LOGIT = 30.0
"""Beyond it the sigmoid rounds to 0 or 255 anyway, and the exponential would overflow in float32."""


class Segmenter:
    """Runs one network on tiles; any number of threads may call it at once.

    Make one with `Segmenter.open`.

    Attributes:
        tile_size: side of a tile in pixels.
        name: of the weights.
        version: of the weights.
        digest: 32 hex digits over all that decides a map: weights, back end, device, precision, tile size.
    """

    def __init__(self, backend: Backend, name: str, info: WeightsInfo) -> None:
        self._backend = backend
        self.tile_size: int = TILE_SIZE
        self.name = name
        self.version = info.version
        facts = json.dumps([info.digest, backend.identity, TILE_SIZE])
        self.digest = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()

    @classmethod
    def open(
        cls,
        model: str | Path = "csnet-x1",
        *,
        backend: BackendChoice = "auto",
        device: str = "auto",
        precision: PrecisionChoice = "auto",
        threads: int = 1,
    ) -> Segmenter:
        """Load weights and make them ready to run.

        Args:
            model: a shipped name, or the path of a weights file.
            backend: `auto` takes torch on CUDA and OpenVINO on a CPU.
            device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where there is one.
            precision: `auto` takes bf16 on CUDA, and in OpenVINO where the CPU has it natively: its maps are
                a few grey levels of 255 off those of fp32. Else it takes fp32.
            threads: CPU threads of one call; more calls at once keep more cores busy than more threads do.

        Raises:
            WeightsError: no such weights, or not what they should be.
            BackendError: this machine does not have the back end's device or precision.
        """
        if threads < 1:
            raise BackendError(f"threads: expected at least 1, got {threads}")
        network, info = load_grey(model)
        chosen_device = _choose_device(device)
        on_cpu = chosen_device == "cpu"
        made: Backend
        if backend == "torch" or (backend == "auto" and not on_cpu):
            chosen = _choose_precision(precision, gains_from_bfloat16=not on_cpu)
            made = TorchBackend(network, chosen_device, chosen, threads)
        elif on_cpu:
            chosen = _choose_precision(precision, gains_from_bfloat16=has_native_bfloat16())
            made = OpenvinoBackend(network, info.digest, chosen, threads)
        else:
            raise BackendError(f"back end openvino runs on the cpu, not on {chosen_device}")
        return cls(made, locate(model).stem, info)

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
        return [_to_saliency(logits) for logits in self._backend.logits(tiles)]

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


def _choose_device(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _choose_precision(precision: PrecisionChoice, *, gains_from_bfloat16: bool) -> Precision:
    if precision != "auto":
        return precision
    return "bf16" if gains_from_bfloat16 else "fp32"


def _to_saliency(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    bounded = np.clip(logits, -MAX_LOGIT, MAX_LOGIT)
    saliency: NDArray[np.float32] = np.float32(255) / (np.float32(1) + np.exp(-bounded))
    return np.rint(saliency).astype(np.uint8)


def _resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
