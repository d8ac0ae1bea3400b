"""Makes an inspector as the settings describe it: the same one in a replica and in a single process."""

from __future__ import annotations

from models.segmenter import Segmenter

from orchestration.settings import Settings
from workers.inspection.inspector import Inspector
from workers.inspection.stages import StageTimes


def open_inspector(settings: Settings, *, threads: int = 1, times: StageTimes | None = None) -> Inspector:
    """An inspector as the settings describe it, the same in a replica and in a single process."""
    segmenter = Segmenter.open(
        settings.model.name, backend=settings.model.backend, precision=settings.model.precision
    )
    return Inspector(segmenter, settings.inspection, threads=threads, times=times)
