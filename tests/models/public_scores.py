"""Scores of shipped weights on a folder of images with masks, by the field's own tool.

python -m tests.models.public_scores FOLDER [MODEL]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from py_sod_metrics import MAE, Smeasure, WeightedFmeasure
from rich import print as show

from models.data.folders import load_samples
from models.segmenter import Segmenter


def public_scores(folder: Path, segmenter: Segmenter) -> dict[str, float]:
    """Return raw IoU at half saliency, MAE, S-measure and weighted F, each the mean over images."""
    metrics = {"sm": Smeasure(), "wfm": WeightedFmeasure(), "mae": MAE()}
    overlaps: list[float] = []
    for sample in load_samples(folder):
        saliency = segmenter.segment_image(sample.image)
        found, truth = saliency > 127, sample.mask > 127
        overlaps.append(float((found & truth).sum() / (found | truth).sum()))
        for metric in metrics.values():
            # Raw maps: the tool's own stretching of each map would hide a map that never gets bright.
            metric.step(saliency / 255.0, truth, normalize=False)
    scores = {name: float(metric.get_results()[name]) for name, metric in metrics.items()}
    return {"iou": float(np.mean(overlaps)), **scores}


if __name__ == "__main__":
    opened = Segmenter.open(*sys.argv[2:3])
    show({"digest": opened.digest, **public_scores(Path(sys.argv[1]), opened)})
