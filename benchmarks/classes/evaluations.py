"""What a classifier reaches, in a file that is committed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from benchmarks.classes.sets import JudgedSet
from benchmarks.machine import Machine, this_machine
from models.classes.calibration import (
    CONFIDENCE_DECIMALS,
    ReliabilityBin,
    calibration_error,
    is_named,
    reliability,
)
from models.classes.classifier import Classifier
from models.classes.images import LabelledImage, findings_of
from models.classes.weights import load_classifier, locate_classifier
from models.networks.cost import parameters_of

FOLDER = Path(__file__).parent / "evaluations"
TIMED_FINDINGS = 200
DECIMALS = 4


class SetFigures(BaseModel):
    """Figures on one set: of the largest finding of each image.

    Attributes:
        key, title: of the set.
        images: how many.
        accuracy: share whose likeliest class is the true one, None where no class is.
        named: share that is not called unknown.
        accuracy_named: share of those that is right.
        calibration_error: expected, of all.
        bins: reliability diagram of all.
        confusion: rows by true class, columns by likeliest class and then unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    title: str
    images: int
    accuracy: float | None
    named: float
    accuracy_named: float | None
    calibration_error: float | None
    bins: tuple[ReliabilityBin, ...]
    confusion: tuple[tuple[int, ...], ...]


class ClassEvaluation(BaseModel):
    """What one classifier reaches.

    Attributes:
        finding_ms: best time of one finding, crop and all, on one thread.
        file_bytes: of its weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str
    digest: str
    classes: tuple[str, ...]
    temperature: float
    least_confidence: float
    parameters: int
    file_bytes: int
    finding_ms: float
    machine: Machine
    sets: tuple[SetFigures, ...]


def evaluate(model: str, sets: Sequence[JudgedSet]) -> ClassEvaluation:
    """Class the largest finding of every image of every set."""
    classifier = Classifier.open(model)
    network, info = load_classifier(model)
    figures = [_figures(judged, judged.load(), classifier, info.least_confidence) for judged in sets]
    return ClassEvaluation(
        model=model,
        version=info.version,
        digest=info.digest,
        classes=info.classes,
        temperature=info.temperature,
        least_confidence=info.least_confidence,
        parameters=parameters_of(network),
        file_bytes=locate_classifier(model).stat().st_size,
        finding_ms=_finding_ms(classifier),
        machine=this_machine(),
        sets=tuple(figures),
    )


def save(evaluation: ClassEvaluation, folder: Path = FOLDER) -> Path:
    """Write an evaluation; return its file."""
    file = folder / f"{evaluation.model}.json"
    file.write_text(evaluation.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return file


def load(model: str, folder: Path = FOLDER) -> ClassEvaluation:
    """Read an evaluation.

    Raises:
        OSError: there is none.
        ValidationError: the file is not an evaluation.
    """
    return ClassEvaluation.model_validate_json((folder / f"{model}.json").read_bytes())


def _figures(
    judged: JudgedSet, images: Sequence[LabelledImage], classifier: Classifier, threshold: float
) -> SetFigures:
    shares = np.stack([_shares(image, classifier) for image in images])
    likeliest, confidences = shares.argmax(axis=1), np.round(shares.max(axis=1), CONFIDENCE_DECIMALS)
    named = is_named(confidences, threshold)
    names = classifier.classes
    targets = np.array([names.index(one.defect_class) if one.defect_class else -1 for one in images])
    right = likeliest == targets
    known = bool((targets >= 0).all())
    bins = reliability(confidences, right) if known else ()
    confusion = np.zeros((len(names), len(names) + 1), int)
    for target, found in zip(targets, np.where(named, likeliest, len(names)), strict=True):
        confusion[target, found] += target >= 0
    return SetFigures(
        key=judged.key,
        title=judged.title,
        images=len(images),
        accuracy=_share(right) if known else None,
        named=_share(named) or 0.0,
        accuracy_named=_share(right[named]) if known else None,
        calibration_error=calibration_error(bins) if known else None,
        bins=bins,
        confusion=tuple(tuple(row) for row in confusion.tolist()) if known else (),
    )


def _shares(image: LabelledImage, classifier: Classifier) -> NDArray[np.float64]:
    finding = findings_of(image.masks[0])[0]
    return classifier.shares(image.pixels, finding.mask, finding.top, finding.left)


def _share(flags: NDArray[np.bool_]) -> float | None:
    return round(float(flags.mean()), DECIMALS) if flags.size else None


def _finding_ms(classifier: Classifier) -> float:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (480, 480), dtype=np.uint8)
    mask = np.ones((60, 40), np.bool_)
    spent: list[float] = []
    for turn in range(TIMED_FINDINGS):
        started = time.perf_counter()
        classifier.classify(pixels, mask, turn, turn)
        spent.append(1000 * (time.perf_counter() - started))
    return round(min(spent), 2)
