"""The fastest back end on CPUs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import BackendError
from models.inference.backend import Precision
from models.inference.graph_cache import cached_graph
from models.inference.openvino_runtime import Core, InferRequest
from models.networks.outputs import SaliencyNetwork

MAX_STREAMS = 16
"""Requests that run at the same time; each stream keeps its own activations, some 30 MB for CSNet."""

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


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
        if precision == "bf16" and not has_native_bfloat16():
            raise BackendError("precision bf16: this CPU has no bfloat16 instructions, use fp32 or auto")
        core = Core()
        model = cached_graph(core, network, weights_digest)
        # Streams and pinning are fixed by the machine, never by the caller's threads: results stay equal.
        streams = min(MAX_STREAMS, max(1, (os.cpu_count() or 1) // threads))
        self._compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
                "NUM_STREAMS": streams,
                "INFERENCE_NUM_THREADS": streams * threads,
                # Two processes that pin would both take the first cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._free: deque[InferRequest] = deque()
        self.identity = f"openvino cpu {precision}"

    def logits(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return logits (T, T) of each tile, in order."""
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            return [self._run(request, tile) for tile in tiles]
        finally:
            self._free.append(request)

    @staticmethod
    def _run(request: InferRequest, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        # The request's output is overwritten by its next run.
        return np.array(request.infer([tile[np.newaxis]])[0][0], dtype=np.float32)


def has_native_bfloat16() -> bool:
    """Return whether this CPU computes in bfloat16 rather than emulating it."""
    return "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
