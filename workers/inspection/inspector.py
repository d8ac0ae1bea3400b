"""Frames in, inspections out: the core that runs in one process and in a Serve replica alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.records import EncodedFrame
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, Inspection, ModelIdentity
from workers.inspection.settings import InspectionSettings
from workers.inspection.stages import NoStageTimes, StageTimes


class Segmentation(Protocol):
    """What an inspector needs of a network: square uint8 tiles in, uint8 saliency maps of their size out.

    The map of a tile must not depend on the other tiles of the call.
    """

    tile_size: int
    name: str
    version: str
    digest: str

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Saliency maps `(tile_size, tile_size)` of tiles of that shape, in their order."""
        ...


class Inspector:
    """Inspects frames.

    Args:
        segmentation: the network.
        settings: what else decides a result.
        threads: frames inspected at the same time; the results are the same for any number.
        times: where to count the time of each stage.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        settings: InspectionSettings | None = None,
        threads: int = 1,
        times: StageTimes | None = None,
    ) -> None:
        self._segmentation = segmentation
        self._settings = settings or InspectionSettings()
        self._threads = threads
        self._times = times or NoStageTimes()

    @property
    def identity(self) -> ModelIdentity:
        """Name and version of the network; its digest covers the inspection settings as well."""
        return ModelIdentity(
            name=self._segmentation.name,
            version=self._segmentation.version,
            digest=self._settings.digest_with(self._segmentation.digest),
        )

    def analyse(self, frames: Sequence[EncodedFrame]) -> list[FrameResult]:
        """Results of frames in pixels, in their order; an unreadable frame costs only itself."""
        raise NotImplementedError

    def inspect(self, frames: Sequence[EncodedFrame]) -> list[Inspection]:
        """Inspection records of frames, in their order."""
        results = self.analyse(frames)
        return [place(frame.header, result) for frame, result in zip(frames, results, strict=True)]
