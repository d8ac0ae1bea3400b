"""Simulated coils and training tiles as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ingest.simulation.coil import SimulatedCoil
from ingest.simulation.truth import Half


def write_coil(
    coil: SimulatedCoil,
    directory: Path,
    *,
    masks: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a simulated coil: a folder of PNG frames per camera, `truth.json` and `line.toml`."""
    raise NotImplementedError


def write_tiles(directory: Path, *, tiles: int, seed: int, half: Half = "train", size: int = 256) -> None:
    """Write training tiles cut from simulated strip: `images/` and `masks/` of equal names."""
    raise NotImplementedError
