"""Every metric of an evaluation against PySODMetrics, over the same maps, in turns.

python -m benchmarks.metrics [FOLDER]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import py_sod_metrics as reference
import typer
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.machine import this_machine
from models.data.folders import load_samples
from models.metrics import Evaluation
from models.segmenter import Segmenter

ROUNDS = 9
"""Turns of each side at each image; the best of an image's turns counts, for what else runs only adds."""

IMAGES = 40
GENERATED_PX = 200

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class MetricsSpeed(BaseModel):
    """Milliseconds of processor time an image, and how many times faster ours are.

    Attributes:
        ours_ms: everything that an evaluation gives, the boundary's figures included.
        reference_ms: what PySODMetrics has of it: no figure of the boundary.
        ratio: of the two.
        low_ratio: one image in ten has a lower one.
        high_ratio: one image in ten has a higher one.
    """

    images: int
    ours_ms: float
    reference_ms: float
    ratio: float
    low_ratio: float
    high_ratio: float


def measure(folder: Path | None = None) -> MetricsSpeed:
    """Time both sides in turns, one thread each.

    Args:
        folder: holds `images` and `masks`; the maps are those of the shipped network. Without one, masks are
            drawn and maps are blurred masks.
    """
    pairs = _generated() if folder is None else _segmented(folder)
    cv2.setNumThreads(1)
    ours_s = reference_s = np.full(len(pairs), np.inf)
    for _ in range(ROUNDS):
        ours_s = np.minimum(ours_s, _seconds_by_image([Evaluation().add], pairs))
        reference_s = np.minimum(reference_s, _seconds_by_image(_reference_steps(), pairs))
    low, high = np.percentile(reference_s / ours_s, [10, 90])
    return MetricsSpeed(
        images=len(pairs),
        ours_ms=float(ours_s.mean() * 1_000),
        reference_ms=float(reference_s.mean() * 1_000),
        ratio=float(reference_s.sum() / ours_s.sum()),
        low_ratio=float(low),
        high_ratio=float(high),
    )


def _seconds_by_image(steps: list[Callable[..., Any]], pairs: list[Pair]) -> NDArray[np.float64]:
    spent = []
    for pair in pairs:
        started = time.thread_time()
        for step in steps:
            step(*pair)
        spent.append(time.thread_time() - started)
    return np.array(spent)


def _reference_steps() -> list[Callable[..., Any]]:
    overlaps = {
        "f": reference.FmeasureHandler(with_dynamic=True, with_adaptive=True, beta=0.3),
        "precision": reference.PrecisionHandler(with_dynamic=True, with_adaptive=False),
        "recall": reference.RecallHandler(with_dynamic=True, with_adaptive=False),
        "dice": reference.DICEHandler(with_dynamic=True, with_adaptive=False, with_binary=True),
        "iou": reference.IOUHandler(with_dynamic=True, with_adaptive=False, with_binary=True),
    }
    metrics = [
        reference.MAE(),
        reference.Smeasure(),
        reference.WeightedFmeasure(),
        reference.Emeasure(),
        reference.FmeasureV2(overlaps),
    ]
    return [metric.step for metric in metrics]


def _segmented(folder: Path) -> list[Pair]:
    samples = load_samples(folder)
    network = Segmenter.open()
    chosen = samples[:: max(1, len(samples) // IMAGES)][:IMAGES]
    return [(network.segment_image(sample.image), sample.mask) for sample in chosen]


def _generated() -> list[Pair]:
    random = np.random.default_rng(0)
    masks = [_drawn_mask(random) for _ in range(IMAGES)]
    return [(_blurred(mask, random), mask) for mask in masks]


def _drawn_mask(random: np.random.Generator) -> NDArray[np.uint8]:
    """Some spots and streaks."""
    mask = np.zeros((GENERATED_PX, GENERATED_PX), np.uint8)
    for _ in range(3):
        start, end = random.integers(0, GENERATED_PX, (2, 2)).tolist()
        cv2.circle(mask, start, int(random.integers(3, 30)), 255, -1)
        cv2.line(mask, start, end, 255, int(random.integers(1, 8)))
    return mask


def _blurred(mask: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A soft map with some noise everywhere."""
    soft = cv2.GaussianBlur(mask, (0, 0), 3.0) * 0.8 + random.normal(10, 8, mask.shape)
    return np.clip(soft, 0, 255).astype(np.uint8)


def rows(speed: MetricsSpeed) -> list[tuple[str, str]]:
    """Name and value of each figure, to be shown."""
    spread = f"{speed.low_ratio:.1f} to {speed.high_ratio:.1f}"
    return [
        ("all metrics of a map", f"{speed.ours_ms:.2f} ms"),
        ("the same by PySODMetrics, but the boundary's", f"{speed.reference_ms:.2f} ms"),
        ("ratio (10th to 90th of a hundred images)", f"{speed.ratio:.1f} ({spread})"),
    ]


def main(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of images and masks; else they are drawn.")
    ] = None,
) -> None:
    """Print the figures as JSON."""
    print(
        json.dumps(
            {"machine": this_machine().model_dump(), "metrics": measure(folder).model_dump()}, indent=2
        )
    )


if __name__ == "__main__":
    typer.run(main)
