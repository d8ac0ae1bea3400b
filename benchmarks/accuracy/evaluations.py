"""Evaluations: the figures of one network under one protocol, in a file that is committed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from benchmarks.accuracy.protocols import Protocol
from benchmarks.machine import Machine, this_machine
from models.evaluation.tables import set_json
from models.metrics import Evaluation as Scoring
from models.networks.cost import cost
from models.segmenter import Segmenter
from models.weights.files import read_weights
from models.weights.registry import locate

FOLDER = Path(__file__).parent / "evaluations"
TIMED_TILES = 40


class Evaluation(BaseModel):
    """What one network reaches under one protocol.

    Attributes:
        model: name of the weights.
        version: of the weights.
        weights: their digest, the same on any machine.
        digest: of all that decides its maps: weights, back end, precision, tile size.
        parameters: of the network.
        macs: multiply-accumulates for one 256 tile.
        tile_ms: best time of one 256 tile, one thread: what else runs only adds.
        machine: where it was timed.
        figures: as `coilwatch evaluate --format json` names them, shares of 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str
    weights: str
    digest: str
    parameters: int
    macs: int
    tile_ms: float
    machine: Machine
    figures: dict[str, float]


def evaluate(
    model: str, protocol: Protocol, data: Path, progress: Callable[[int, int], object]
) -> Evaluation:
    """Segment the images of a protocol and score the maps.

    Args:
        model: shipped weights, or a file.
        protocol: whose images.
        data: the data folder.
        progress: called with images done and all images.

    Raises:
        ModelsError: no such weights, or no images.
    """
    segmenter, scoring = Segmenter.open(model), Scoring()
    samples = protocol.samples(data)
    for done, sample in enumerate(samples, 1):
        scoring.add(segmenter.segment_image(sample.image), sample.mask)
        progress(done, len(samples))
    _, info = read_weights(locate(model))
    said: dict[str, float | list[float]] = json.loads(set_json(scoring.scores()))
    costs = cost(info.network, segmenter.tile_size, width=info.width, **info.knobs)
    return Evaluation(
        model=segmenter.name,
        version=segmenter.version,
        weights=info.digest,
        digest=segmenter.digest,
        parameters=costs.parameters,
        macs=costs.macs,
        tile_ms=_tile_ms(segmenter),
        machine=this_machine(),
        figures={key: figure for key, figure in said.items() if not isinstance(figure, list)},
    )


def save(evaluation: Evaluation, protocol: Protocol, folder: Path = FOLDER) -> Path:
    """Write an evaluation; return its file."""
    file = folder / protocol.key / f"{evaluation.model}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return file


def load(protocol: Protocol, folder: Path = FOLDER) -> list[Evaluation]:
    """The evaluations of a protocol, best IoU first.

    Raises:
        ValidationError: a file is not an evaluation.
    """
    files = sorted((folder / protocol.key).glob("*.json"))
    found = [Evaluation.model_validate_json(file.read_bytes()) for file in files]
    return sorted(found, key=lambda evaluation: evaluation.figures["iou_mean"], reverse=True)


def _tile_ms(segmenter: Segmenter) -> float:
    generator = np.random.default_rng(0)
    side = segmenter.tile_size
    spent: list[float] = []
    for _ in range(TIMED_TILES):
        tile = generator.integers(0, 256, (side, side), dtype=np.uint8)
        started = time.perf_counter()
        segmenter.segment([tile])
        spent.append(1000 * (time.perf_counter() - started))
    return round(min(spent), 2)
