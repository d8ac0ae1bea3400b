"""The weights file of a classifier: its class list and its calibration belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.classes.network import NAME, ClassNetwork
from models.errors import WeightsError
from models.weights.files import WeightsInfo, fill_network, read_weights
from models.weights.registry import locate

SHIPPED = Path(__file__).parent.parent / "weights" / "classes"
MAX_CLASSES = 100


class ClassifierInfo(WeightsInfo):
    """What a classifier's file says of itself.

    Attributes:
        classes: names, in the order of the outputs; any text, as the data have it.
        temperature: over which the logits are divided.
        least_confidence: below it a finding is unknown.
    """

    classes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=MAX_CLASSES)
    ]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    least_confidence: Annotated[float, Field(ge=0, le=1)]

    @property
    def structure(self) -> list[object]:
        return [*super().structure, list(self.classes), self.temperature, self.least_confidence]


def locate_classifier(model: str | Path) -> Path:
    """Return the file of a shipped name, or the path itself.

    Raises:
        WeightsError: neither a shipped name nor a file.
    """
    return locate(model, SHIPPED)


def load_classifier(model: str | Path) -> tuple[ClassNetwork, ClassifierInfo]:
    """Return a classifier's network, in evaluation mode, and what its file says of itself.

    Raises:
        WeightsError: not there, not safetensors, damaged, or of no classifier.
    """
    path = locate_classifier(model)
    weights, info = read_weights(path, ClassifierInfo)
    if info.network != NAME:
        raise WeightsError(f"weights {path}: expected a classifier {NAME}, got {info.network}")
    network = ClassNetwork(len(info.classes))
    fill_network(network, weights, path)
    return network.eval(), info
