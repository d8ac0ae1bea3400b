"""Frames in, inspections out: the core that runs in one process and in a Serve replica alike."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.codecs import decode
from ingest.errors import BadImageError
from ingest.records import EncodedFrame
from models.tiling import blend, cut
from workers.errors import BadSettingsError, SegmentationError
from workers.inspection.edges import StripEdges, find_strip_edges
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, Inspection, ModelIdentity, Region
from workers.inspection.regions import NO_REGIONS, Regions, find_regions
from workers.inspection.settings import InspectionSettings
from workers.inspection.stages import NoStageTimes, StageTimes


class Segmentation(Protocol):
    """What an inspector needs of a network: square uint8 tiles in, uint8 saliency maps of their size out.

    The map of a tile must not depend on the other tiles of the call. `peak` counts where settings name none.
    """

    tile_size: int
    peak: int
    name: str
    version: str
    digest: str

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Saliency maps `(tile_size, tile_size)` of tiles of that shape, in their order."""
        ...


class Classified(Protocol):
    """What a finding was taken for.

    Attributes:
        defect_class: name of a class, or "unknown".
        confidence: 0..1, rounded, so that equal findings give equal bytes.
    """

    @property
    def defect_class(self) -> str: ...

    @property
    def confidence(self) -> float: ...


class Classification(Protocol):
    """What an inspector needs of a classifier: one finding in, its class out, whatever came before it."""

    name: str
    version: str
    digest: str

    def classify(self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], top: int, left: int) -> Classified:
        """The class of the finding that a mask `(h, w)` marks, laid into a frame `(H, W)`."""
        ...


class Inspector:
    """Inspects frames.

    Args:
        segmentation: the network.
        settings: what else decides a result.
        classification: the classifier; without one every finding is of unknown class.
        threads: frames inspected at the same time; the results are the same for any number.
        times: where to count the time of each stage.

    Raises:
        BadSettingsError: when tiles are to overlap by their whole size.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        settings: InspectionSettings | None = None,
        classification: Classification | None = None,
        threads: int = 1,
        times: StageTimes | None = None,
    ) -> None:
        self._segmentation = segmentation
        self._settings = settings or InspectionSettings()
        self._peak = segmentation.peak if self._settings.peak is None else self._settings.peak
        self._classification = classification
        overlap, size = self._settings.tile_overlap_px, segmentation.tile_size
        if overlap >= size:
            raise BadSettingsError(f"tile_overlap_px: expected less than the tile size {size}, got {overlap}")
        self._threads = threads
        self._times = times or NoStageTimes()

    @cached_property
    def identity(self) -> ModelIdentity:
        """Name and version of the networks; its digest covers the inspection settings as well."""
        segmentation, classification = self._segmentation, self._classification
        digests, classifier = segmentation.digest, None
        if classification is not None:
            digests = f"{digests}/{classification.digest}"
            classifier = f"{classification.name} {classification.version}"
        return ModelIdentity(
            name=segmentation.name,
            version=segmentation.version,
            digest=self._settings.model_copy(update={"peak": self._peak}).digest_with(digests),
            classifier=classifier,
        )

    def analyse(self, frames: Sequence[EncodedFrame]) -> list[FrameResult]:
        """Results of frames in pixels, in their order; an unreadable frame costs only itself."""
        if self._threads == 1 or len(frames) < 2:
            return [self._analyse(frame) for frame in frames]
        return list(self._pool.map(self._analyse, frames))

    def inspect(self, frames: Sequence[EncodedFrame]) -> list[Inspection]:
        """Inspection records of frames, in their order."""
        results = self.analyse(frames)
        return [place(frame.header, result) for frame, result in zip(frames, results, strict=True)]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="inspect")

    def _analyse(self, frame: EncodedFrame) -> FrameResult:
        try:
            with self._times.stage("decode"):
                pixels = decode(frame.data, frame.header)
        except BadImageError as error:
            return FrameResult(status="unreadable", reason=str(error))
        with self._times.stage("edges"):
            edges = find_strip_edges(pixels)
        regions = self._find(pixels, edges)
        return FrameResult(
            status="inspected",
            model=self.identity,
            strip_left=edges.left,
            strip_right=edges.right,
            regions=self._classified(pixels, regions),
            further_regions=regions.further,
            further_area_px=regions.further_area_px,
        )

    def _find(self, pixels: NDArray[np.uint8], edges: StripEdges) -> Regions:
        left, right = edges.columns(pixels.shape[1], self._settings.edge_margin_px)
        if left == right:
            return NO_REGIONS
        size = self._segmentation.tile_size
        with self._times.stage("tile"):
            tiling = cut(pixels, size, self._settings.tile_overlap_px, (left, right))
        with self._times.stage("network"):
            maps = self._segmentation.segment(tiling.tiles)
        if [saliency.shape for saliency in maps] != [(size, size)] * len(tiling.tiles):
            shapes = [saliency.shape for saliency in maps]
            raise SegmentationError(f"expected {len(tiling.tiles)} maps of {size} x {size}, got {shapes}")
        with self._times.stage("tile"):
            saliency = blend(tiling, maps)
        with self._times.stage("components"):
            saliency[:, :left] = 0
            saliency[:, right:] = 0
            return find_regions(pixels, saliency, self._settings, self._peak)

    def _classified(self, pixels: NDArray[np.uint8], regions: Regions) -> tuple[Region, ...]:
        if self._classification is None:
            return regions.whole
        with self._times.stage("classes"):
            classified = [
                self._classification.classify(pixels, mask, region.top, region.left)
                for region, mask in zip(regions.whole, regions.masks, strict=True)
            ]
        return tuple(
            region.model_copy(update={"defect_class": one.defect_class, "class_confidence": one.confidence})
            for region, one in zip(regions.whole, classified, strict=True)
        )
