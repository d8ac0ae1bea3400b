"""Scores of shipped weights on a folder of images with masks.

python -m tests.models.public_scores FOLDER [MODEL]
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from rich import print as show

from models.data.folders import load_samples
from models.metrics import Evaluation, SetScores
from models.segmenter import Segmenter


def public_scores(folder: Path, segmenter: Segmenter) -> SetScores:
    """Return every figure of the network's maps; those of stretched maps compare with the literature."""
    evaluation = Evaluation()
    for sample in load_samples(folder):
        evaluation.add(segmenter.segment_image(sample.image), sample.mask)
    return evaluation.scores()


if __name__ == "__main__":
    opened = Segmenter.open(*sys.argv[2:3])
    show({"digest": opened.digest, **asdict(public_scores(Path(sys.argv[1]), opened))})
