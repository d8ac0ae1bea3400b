"""The simulated coil as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.records import CameraBand, Encoding
from ingest.simulation import SimulatedCoil
from ingest.sources.source import DEFAULT_ENCODING, CoilSource, Picture, encoded_picture


class SimulatedSource(CoilSource):
    """A simulated coil, made frame by frame.

    Args:
        coil: the coil.
        encoding: how its frames travel.
        run: 1 for the first time this coil id is used.
    """

    def __init__(self, coil: SimulatedCoil, encoding: Encoding = DEFAULT_ENCODING, run: int = 1) -> None:
        feeds = [_SimulatedFeed(coil, at, band, encoding) for at, band in enumerate(coil.bands)]
        super().__init__(feeds, line=coil.line, coil=coil.coil, run=run)


@dataclass(frozen=True, slots=True)
class _SimulatedFeed:
    coil: SimulatedCoil
    camera_index: int
    band: CameraBand
    encoding: Encoding

    @property
    def total(self) -> int:
        return self.coil.frames_per_camera

    def pictures(self) -> Iterator[Picture]:
        for sequence in range(self.total):
            pixels = self.coil.frame(self.camera_index, sequence)
            yield encoded_picture(pixels, self.encoding, self.coil.along_mm(sequence))
