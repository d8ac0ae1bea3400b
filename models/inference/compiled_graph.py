"""A graph compiled by OpenVINO, with as many requests as threads call at once."""

from __future__ import annotations

import os
from collections import deque

import numpy as np
from numpy.typing import NDArray

from models.errors import BackendError
from models.inference.backend import Precision
from models.inference.openvino_runtime import Core, InferRequest, Model, the_core

MAX_STREAMS = 16
"""Requests that run at the same time; each stream keeps its own activations, some 30 MB for CSNet."""

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class CompiledGraph:
    """Runs a graph of one input and one output on the CPU.

    Args:
        core: compiles it.
        model: the graph.
        precision: of the convolutions.
        threads: of each request.

    Raises:
        BackendError: this CPU does not compute in that precision.
    """

    def __init__(self, core: Core, model: Model, precision: Precision, threads: int) -> None:
        if precision == "bf16" and not has_native_bfloat16():
            raise BackendError("precision bf16: this CPU has no bfloat16 instructions, use fp32 or auto")
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

    def run(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the output of one input, both without their batch dimension of 1."""
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            # The request's output is overwritten by its next run.
            return np.array(request.infer([inputs[np.newaxis]])[0][0], dtype=np.float32)
        finally:
            self._free.append(request)


def has_native_bfloat16() -> bool:
    """Return whether this CPU computes in bfloat16 rather than emulating it."""
    return "BF16" in the_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
