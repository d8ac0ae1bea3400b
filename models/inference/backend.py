"""What a back end does, and the graph that every back end runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from models.networks.normalisation import network_input
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

TILE_SIZE = 256
"""Side of a tile in pixels: at 0.5 mm a pixel 128 mm of strip, more than most defects are long."""

Precision = Literal["fp32", "bf16"]


class Backend(Protocol):
    """Runs one network on tiles; several threads may call it at once.

    Attributes:
        identity: back end, device and precision, as far as they can change a result.
    """

    identity: str

    def logits(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return logits (T, T) of each tile (T, T), in order; a tile's are the same in any company."""
        ...


class TileGraph(nn.Module):
    """From grey tiles (N, T, T) uint8 to logits (N, T, T) float32."""

    def __init__(self, network: SaliencyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: Tensor) -> Tensor:
        """Return logits (N, T, T)."""
        outputs: SaliencyOutputs = self.network(network_input(tiles, self.network.in_channels))
        return outputs.final.squeeze(1).float()
