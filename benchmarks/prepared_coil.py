"""A simulated coil with every frame encoded beforehand: simulating costs neither side of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.records import CameraClosed, CoilOpened, EncodedFrame
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource


class PreparedCoil:
    """A source that hands over frames from memory.

    Args:
        coil: the coil to simulate now.
    """

    def __init__(self, coil: SimulatedCoil) -> None:
        source = SimulatedSource(coil)
        self._opened = source.opened()
        self._frames = list(source.frames())
        self._closed = source.closed()

    @property
    def total_frames(self) -> int:
        """Frames of all cameras."""
        return len(self._frames)

    def opened(self) -> CoilOpened:
        """The record that opens the coil."""
        return self._opened

    def frames(self) -> Iterator[EncodedFrame]:
        """Every frame in strip order."""
        return iter(self._frames)

    def closed(self) -> tuple[CameraClosed, ...]:
        """The records that close the cameras."""
        return self._closed
