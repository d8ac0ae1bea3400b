"""Milliseconds of a tile of networks and of EfficientNet-Lite0 bare, in turns, one thread, OpenVINO.

python -m benchmarks.networks [NAME ...]
"""

from __future__ import annotations

import json
import time
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

from benchmarks.machine import this_machine
from models.inference.backend import TILE_SIZE
from models.inference.compiled_graph import has_native_bfloat16
from models.inference.graph_cache import convert
from models.inference.openvino_runtime import Core, InferRequest
from models.networks.blocks import upsample
from models.networks.build import build
from models.networks.efficientnet_lite0 import EfficientNetLite0
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs

ROUNDS = 60
"""Turns of each network; the best counts, for what else runs only adds."""

DEFAULT = ("coilnet-m", "coilnet-s", "csnet-x1", "scfnet-lite0")
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class Speed(BaseModel):
    """Of one network in one precision.

    Attributes:
        best_ms: of a tile.
        median_ms: of a tile, with whatever else ran.
        of_encoder: best against the bare encoder's best.
    """

    network: str
    precision: str
    best_ms: float
    median_ms: float
    of_encoder: float


class BareEncoder(SaliencyNetwork):
    """EfficientNet-Lite0 and the mean of its deepest features: all of its work, nothing behind it."""

    size_multiple = 32
    input_weight = "encoder.conv_stem.weight"

    def __init__(self) -> None:
        super().__init__(1)
        self.encoder = EfficientNetLite0(in_channels=1)

    def saliency(self, images: Tensor) -> SaliencyOutputs:
        return SaliencyOutputs(upsample(self.encoder(images)[-1].mean(dim=1, keepdim=True), 32))


def measure(names: tuple[str, ...] = DEFAULT) -> list[Speed]:
    """Time networks of random weights and one input channel beside the bare encoder."""
    networks = {"encoder": BareEncoder(), **{name: build(name, in_channels=1) for name in names}}
    graphs = {name: convert(network.eval()) for name, network in networks.items()}
    precisions = [name for name in PRECISIONS if name != "bf16" or has_native_bfloat16()]
    core = Core()
    requests = {
        (name, precision): core.compile_model(
            graph,
            "CPU",
            {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "INFERENCE_NUM_THREADS": 1},
        ).create_infer_request()
        for precision in precisions
        for name, graph in graphs.items()
    }
    tile = np.random.default_rng(0).integers(0, 256, (1, TILE_SIZE, TILE_SIZE)).astype(np.uint8)
    spent = np.array([[_seconds(request, tile) for request in requests.values()] for _ in range(ROUNDS)])
    best = dict(zip(requests, spent.min(axis=0), strict=True))
    median = dict(zip(requests, np.median(spent, axis=0), strict=True))
    return [
        Speed(
            network=name,
            precision=precision,
            best_ms=round(1_000 * best[name, precision], 2),
            median_ms=round(1_000 * median[name, precision], 2),
            of_encoder=round(best[name, precision] / best["encoder", precision], 2),
        )
        for name, precision in requests
    ]


def _seconds(request: InferRequest, tile: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    request.infer([tile])
    return time.perf_counter() - started


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Networks; else the small ones.")] = None,
) -> None:
    """Print the figures as JSON."""
    speeds = [speed.model_dump() for speed in measure(tuple(names or DEFAULT))]
    print(json.dumps({"machine": this_machine().model_dump(), "networks": speeds}, indent=2))


if __name__ == "__main__":
    typer.run(main)
