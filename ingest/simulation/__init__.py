"""The simulated coil: steel strip with planted defects from real steel, and its ground truth."""

from ingest.simulation.coil import SimulatedCoil
from ingest.simulation.truth import EdgeSample, PlantedDefect, SimulatedTruth
from ingest.simulation.writing import write_coil, write_defects, write_tiles

__all__ = [
    "EdgeSample",
    "PlantedDefect",
    "SimulatedCoil",
    "SimulatedTruth",
    "write_coil",
    "write_defects",
    "write_tiles",
]
