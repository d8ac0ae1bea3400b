"""The reference back end, and the one for CUDA."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import BackendError
from models.inference.backend import TILE_SIZE, Precision, TileGraph
from models.networks.outputs import SaliencyNetwork

CUDA_BATCH = 16
"""Tiles of one padded batch: the shape never changes, so neither does the kernel that CUDA picks for it."""


class TorchBackend:
    """Runs a network with torch, one tile at a time on a CPU, in padded batches of one shape on CUDA.

    Args:
        network: in evaluation mode.
        device: `cpu`, `cuda` or `cuda:N`.
        precision: of the convolutions.
        threads: of each CPU operation. Torch knows one number for the whole process, so this sets it there.

    Raises:
        BackendError: torch does not see the device.
    """

    def __init__(self, network: SaliencyNetwork, device: str, precision: Precision, threads: int) -> None:
        self._device = open_device(device)
        self._precision = precision
        self._graph = TileGraph(network).to(self._device).eval()
        self._batch = CUDA_BATCH if self._device.type == "cuda" else 1
        self.identity = f"torch {self._device.type} {precision}"
        if self._device.type == "cpu":
            torch.set_num_threads(threads)

    def logits(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return logits (T, T) of each tile, in order."""
        results: list[NDArray[np.float32]] = []
        for start in range(0, len(tiles), self._batch):
            group = tiles[start : start + self._batch]
            padded = np.zeros((self._batch, TILE_SIZE, TILE_SIZE), dtype=np.uint8)
            padded[: len(group)] = group
            results.extend(self._run(padded)[: len(group)])
        return results

    def _run(self, padded: NDArray[np.uint8]) -> NDArray[np.float32]:
        kind = self._device.type
        with (
            torch.inference_mode(),
            torch.autocast(kind, torch.bfloat16, enabled=self._precision == "bf16"),
        ):
            logits = self._graph(torch.from_numpy(padded).to(self._device))
        return np.asarray(logits.cpu().numpy(), dtype=np.float32)


def open_device(device: str) -> torch.device:
    """Return the device of a name.

    Raises:
        BackendError: torch does not see it.
    """
    try:
        opened = torch.device(device)
    except RuntimeError as error:
        raise BackendError(f"no device {device}: expected cpu, cuda or cuda:N") from error
    if opened.type not in {"cpu", "cuda"}:
        raise BackendError(f"no device {device}: expected cpu, cuda or cuda:N")
    if opened.type == "cuda" and (opened.index or 0) >= torch.cuda.device_count():
        raise BackendError(f"no device {device}: torch sees {torch.cuda.device_count()} CUDA devices")
    return opened
