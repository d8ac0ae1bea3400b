"""The gate: a very small network that tells which tiles may show a defect, so that only those cost more.

Source of the network: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV
2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.inference.backend import Backend
from models.losses.tile import PEAK_PX
from models.weights import WeightsInfo


class Gate:
    """Lets tiles through whose score reaches the threshold that the weights were given on validation data.

    Args:
        backend: runs the weights.
        info: of the weights.
        name: of the weights.

    Attributes:
        name: of the weights.
        version: of the weights.
        facts: all that decides which tiles pass.

    Raises:
        WeightsError: weights without a threshold.
    """

    def __init__(self, backend: Backend, info: WeightsInfo, name: str) -> None:
        if info.gate_threshold is None:
            raise WeightsError(f"weights {name} are no gate: expected a gate_threshold in their metadata")
        self._backend = backend
        self._threshold = info.gate_threshold
        self.name = name
        self.version = info.version
        self.facts: tuple[str | float, ...] = (info.digest, backend.identity, PEAK_PX, info.gate_threshold)

    def scores(self, tiles: Sequence[NDArray[np.uint8]]) -> list[float]:
        """Return each tile's logit, in order; a tile's is the same in any company."""
        return [tile_score(logits) for logits in self._backend.logits(tiles)]

    def passes(self, tiles: Sequence[NDArray[np.uint8]]) -> list[bool]:
        """Return whether each tile may show a defect, in order."""
        return [score >= self._threshold for score in self.scores(tiles)]


def tile_score(logits: NDArray[np.float32]) -> float:
    """Return the logit of a tile from those of its pixels, (T, T), as `models.losses.tile_logits` does."""
    return float(np.partition(logits, -PEAK_PX, axis=None)[-PEAK_PX:].mean(dtype=np.float64))
