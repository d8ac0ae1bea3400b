"""What the gate misses, lets through and costs, on data that neither trained nor calibrated it.

python -m benchmarks.gate --data DIR > benchmarks/gate.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.accuracy.protocols import TEST_FOLDER
from benchmarks.machine import this_machine
from ingest.simulation import SimulatedCoil
from ingest.simulation.texture import TRAINING_FAMILIES
from ingest.simulation.truth import Family
from models.data.folders import load_samples
from models.gate import Gate
from models.inference.backend import TILE_SIZE, Backend
from models.inference.opening import open_backend
from models.losses.tile import LEAST_DEFECT_PX
from models.networks.cost import cost
from models.tiling import cut
from models.weights import locate
from workers.inspection.edges import find_strip_edges
from workers.inspection.settings import InspectionSettings

SEVERSTAL = Path("severstal-frames")
COIL_M = 12.0
COIL_SEEDS = tuple(range(27, 47))
"""Enough for half a percent to be more than one tile. Training tiles are cut from coils of seeds from 1,000
up, and from the other half of the crops."""

WANTED_SHARE = 0.2
"""Of clean tiles, that a gate may let through. What it misses at a threshold that does so on these very coils
is reported beside what it does at its own: it tells the network's part of a failure from the threshold's."""

ROUNDS = 40
"""Turns of gate and network; the best counts, for what else runs only adds."""

Pixels = NDArray[np.uint8]


class Shown(NamedTuple):
    """A tile and how many of its pixels are marked as defect."""

    tile: Pixels
    marked: int


class Scored(NamedTuple):
    """A tile's score and how many of its pixels are marked as defect."""

    score: float
    marked: int


class Passing(BaseModel):
    """What a threshold does with the tiles of one source.

    Attributes:
        defective: tiles with a defect, of at least `LEAST_DEFECT_PX` marked pixels.
        missed: of those, held back.
        touched: tiles with any marked pixel.
        touched_missed: of those, held back.
        clean: tiles without a marked pixel.
        clean_passed: of those, let through.
    """

    defective: int = 0
    missed: int = 0
    touched: int = 0
    touched_missed: int = 0
    clean: int = 0
    clean_passed: int = 0


def scored(gate: Gate, tiles: Iterator[Shown]) -> list[Scored]:
    """Score every tile."""
    return [Scored(gate.scores([tile])[0], marked) for tile, marked in tiles]


def passing(tiles: list[Scored], threshold: float) -> Passing:
    """Count what passes and what does not."""
    counts = Passing()
    for score, marked in tiles:
        held_back = score < threshold
        counts.defective += marked >= LEAST_DEFECT_PX
        counts.missed += marked >= LEAST_DEFECT_PX and held_back
        counts.touched += marked > 0
        counts.touched_missed += marked > 0 and held_back
        counts.clean += not marked
        counts.clean_passed += not marked and not held_back
    return counts


def public_tiles(data: Path) -> Iterator[Shown]:
    """The public test images, each as the one tile that `coilwatch segment` makes of it."""
    for sample in load_samples(data / TEST_FOLDER):
        tile = cv2.resize(sample.image, (TILE_SIZE, TILE_SIZE), interpolation=cv2.INTER_LINEAR)
        yield Shown(np.asarray(tile, np.uint8), int(np.count_nonzero(sample.mask)))


def coil_tiles(seed: int, family: Family) -> Iterator[Shown]:
    """The tiles that inspection cuts from a simulated coil with defects of the judging half."""
    coil = SimulatedCoil(COIL_M, seed, "judge", family=family)
    for sequence in range(coil.frames_per_camera):
        for camera in range(len(coil.bands)):
            yield from inspected_tiles(coil.frame(camera, sequence), coil.mask(camera, sequence))


def severstal_tiles(data: Path) -> Iterator[Shown]:
    """The tiles that inspection cuts from real line-scan frames."""
    for image in sorted((data / SEVERSTAL / "images").iterdir()):
        (mask,) = (data / SEVERSTAL / "masks").glob(f"{image.stem}.*")
        frame, marked = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (image, mask))
        yield from inspected_tiles(np.asarray(frame, np.uint8), np.asarray(marked, np.uint8))


def inspected_tiles(frame: Pixels, mask: Pixels) -> Iterator[Shown]:
    """The tiles that the inspector asks its network about, none of a frame without strip."""
    settings = InspectionSettings()
    columns = find_strip_edges(frame).columns(frame.shape[1], settings.edge_margin_px)
    if columns[0] == columns[1]:
        return
    tilings = [cut(plane, TILE_SIZE, settings.tile_overlap_px, columns) for plane in (frame, mask)]
    for tile, marked in zip(*(tiling.tiles for tiling in tilings), strict=True):
        yield Shown(tile, int(np.count_nonzero(marked)))


def best_ms(backends: list[Backend]) -> list[float]:
    """Best milliseconds of a tile of each, in turns."""
    generator = np.random.default_rng(0)
    tile = generator.integers(0, 256, (TILE_SIZE, TILE_SIZE)).astype(np.uint8)
    spent = np.array([[_ms(backend, tile) for backend in backends] for _ in range(ROUNDS)])
    return [round(float(best), 2) for best in spent.min(axis=0)]


def _ms(backend: Backend, tile: Pixels) -> float:
    started = time.perf_counter()
    backend.logits([tile])
    return 1_000 * (time.perf_counter() - started)


def main(
    data: Annotated[Path, typer.Option(envvar="COILWATCH_DATA", help="Folder of the data sets.")],
    gate: Annotated[str, typer.Option(help="Shipped weights or a file.")] = "gate",
    models: Annotated[list[str] | None, typer.Option("--model", help="Networks to time beside it.")] = None,
) -> None:
    """Print the figures as JSON."""
    backend, info = open_backend(gate)
    opened = Gate(backend, info, locate(gate).stem)
    coils = [
        tile
        for family in TRAINING_FAMILIES
        for seed in COIL_SEEDS
        for tile in scored(opened, coil_tiles(seed, family))
    ]
    sources = {
        "public test images": scored(opened, public_tiles(data)),
        "simulated coils": coils,
        "severstal": scored(opened, severstal_tiles(data)),
    }
    fifth = float(np.quantile([tile.score for tile in coils if not tile.marked], 1 - WANTED_SHARE))
    thresholds = {"threshold": info.gate_threshold or 0.0, "fifth_of_clean_coils": fifth}
    costs = cost(info.network, TILE_SIZE, width=info.width, **info.knobs)
    names = models or ["csnet-x1", "coilnet-m"]
    ms = best_ms([backend, *(open_backend(name)[0] for name in names)])
    told = {
        "gate": {"version": info.version, "digest": info.digest, **thresholds},
        "parameters": costs.parameters,
        "macs": costs.macs,
        **{
            f"at {name}": {
                source: passing(tiles, threshold).model_dump() for source, tiles in sources.items()
            }
            for name, threshold in thresholds.items()
        },
        "best_ms": dict(zip(["gate", *names], ms, strict=True)),
        "machine": this_machine().model_dump(),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    typer.run(main)
