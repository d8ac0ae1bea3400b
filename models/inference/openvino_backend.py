"""The fastest back end on CPUs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.inference.backend import Precision
from models.inference.compiled_graph import CompiledGraph
from models.inference.graph_cache import cached_graph
from models.inference.openvino_runtime import the_core
from models.networks.outputs import SaliencyNetwork


class OpenvinoBackend:
    """Runs a network with OpenVINO, one tile a request, as many requests at once as threads call.

    Args:
        network: in evaluation mode.
        weights_digest: of its weights, names the converted graph in the cache.
        precision: of the convolutions.
        threads: of each request.

    Raises:
        BackendError: this CPU does not compute in that precision.
    """

    def __init__(
        self, network: SaliencyNetwork, weights_digest: str, precision: Precision, threads: int
    ) -> None:
        core = the_core()
        self._graph = CompiledGraph(core, cached_graph(core, network, weights_digest), precision, threads)
        self.identity = f"openvino cpu {precision}"

    def logits(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return logits (T, T) of each tile, in order."""
        return [self._graph.run(tile) for tile in tiles]
