"""Makes the inspector that the settings describe: the same in a replica and in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import WeightsError
from orchestration.settings import NO_CLASSIFIER, Settings
from workers.inspection.inspector import Inspector

if TYPE_CHECKING:
    from models.classes.classifier import Classifier
    from models.segmenter import Segmenter


def open_segmenter(settings: Settings, *, model: str | None = None, threads: int = 1) -> Segmenter:
    """The segmenter as the settings describe it.

    Args:
        model: name of shipped weights or a file, instead of the settings' one.
        threads: processor threads of one call.

    Raises:
        ModelsError: the weights or the back end are not there.
    """
    # Torch takes seconds to import, which commands that inspect nothing do not have.
    from models.segmenter import Segmenter  # noqa: PLC0415

    chosen = settings.model
    return Segmenter.open(
        model or chosen.name,
        gate=chosen.gate,
        backend=chosen.backend,
        device=chosen.device,
        precision=chosen.precision,
        threads=threads,
    )


def open_classifier(settings: Settings) -> Classifier | None:
    """The classifier as the settings describe it, None where they want none.

    Raises:
        ModelsError: the weights are not there.
    """
    from models.classes.classifier import Classifier  # noqa: PLC0415

    return None if settings.model.classifier == NO_CLASSIFIER else Classifier.open(settings.model.classifier)


def open_inspector(settings: Settings, *, threads: int = 1) -> Inspector:
    """The inspector as the settings describe it.

    Args:
        threads: frames inspected at the same time, each on one processor thread.

    Raises:
        ModelsError: the weights or the back end are not there, or a gate's are to inspect.
    """
    segmenter = open_segmenter(settings)
    if segmenter.is_gate:
        raise WeightsError(
            f"model.name: expected weights that find defects, got the gate {segmenter.name}, "
            f"which goes before them as model.gate"
        )
    return Inspector(segmenter, settings.inspection, open_classifier(settings), threads=threads)
