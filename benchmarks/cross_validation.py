"""Finalists of a choice on all training images: each image is judged by the one training that held it out.

python -m benchmarks.cross_validation --data DIR

What the ablation decides by one split and 300 steps, this tries again with twice the steps, and beside it
which way the images lie. Each run is written as it ends, and what is written already is not run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import torch
import typer
from rich.progress import Progress

from benchmarks.ablation import RECIPE, VARIANTS
from benchmarks.trials import Trained, Trial, run_missing, train
from models.data.normalisation import normalisation
from models.metrics.evaluation import Evaluation
from models.metrics.scores import SetScores
from models.training.recipe import Phase, Recipe, find_recipe, load_recipe
from models.training.scoring import logits_of

FOLDS = 5
STEPS = 600
SHARPNESS = 3.0
"""As of the weights that ship: without it, figures over all thresholds tell mostly how sure maps are."""

FILE = Path(__file__).parent / "accuracy" / "cross_validation.json"

OVERLAP = "BCE and IoU in the place of structure"
UPRIGHT_STEPS = 200


class Finalist(NamedTuple):
    """What is tried on all folds.

    Attributes:
        changes: settings that count instead of the recipe's.
        last_upright: None for one phase. Otherwise the last `UPRIGHT_STEPS` steps are a second one, upright
            or, to compare with, turned.
    """

    changes: Mapping[str, Any]
    last_upright: bool | None = None

    def phases(self, phase: Phase) -> tuple[Phase, ...]:
        """Return the phases of `STEPS` steps together, each like a given one."""
        if self.last_upright is None:
            return (phase.model_copy(update={"steps": STEPS}),)
        last = {"steps": UPRIGHT_STEPS, "upright": self.last_upright}
        return (phase.model_copy(update={"steps": STEPS - UPRIGHT_STEPS}), phase.model_copy(update=last))


FINALISTS: Mapping[str, Finalist] = {
    "structure": Finalist({}),
    "BCE and IoU": Finalist(VARIANTS[OVERLAP]),
    "BCE and IoU, in two phases": Finalist(VARIANTS[OVERLAP], last_upright=False),
    "BCE and IoU, the second of two phases upright": Finalist(VARIANTS[OVERLAP], last_upright=True),
}
"""In pairs. Losses: the one part whose change brought more than the spread of the seeds. And the lay of the
images, which turns hide from the network."""


class FoldRun(Trial):
    """What one training makes of the images that it held out.

    Attributes:
        finalist: its name.
        fold: that was held out.
        s_measure, weighted_f, mae, iou: means over its images, IoU over 256 thresholds too.
    """

    finalist: str
    fold: int
    s_measure: float
    weighted_f: float
    mae: float
    iou: float


def finalists() -> Iterator[tuple[str, Recipe]]:
    """Every finalist's name and recipe, fold by fold."""
    (phase,) = load_recipe(find_recipe(RECIPE)).phases
    common: dict[str, Any] = {"sharpness": SHARPNESS, "held_out": "blocks", "folds": FOLDS}
    for fold in range(FOLDS):
        for name, finalist in FINALISTS.items():
            settings = {**common, **finalist.changes, "phases": finalist.phases(phase)}
            yield name, load_recipe(find_recipe(RECIPE), fold=fold, **settings)


def main(
    data: Annotated[Path, typer.Option(help="Folder of real steel: images/ and masks/.")],
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Train every finalist for every fold, but for what was run before."""
    torch.set_num_threads(threads)
    run_missing(FILE, FoldRun, finalists(), partial(_run, data))
    print(FILE)


def _run(data: Path, finalist: str, recipe: Recipe, progress: Progress) -> FoldRun:
    fold = recipe.fold or 0
    scores = _held_out_scores(recipe, train(recipe, data, progress, f"{finalist}, fold {fold}"))
    return FoldRun(
        finalist=finalist,
        fold=fold,
        recipe=recipe.digest,
        images=scores.images,
        s_measure=round(scores.s_measure, 4),
        weighted_f=round(scores.weighted_f, 4),
        mae=round(scores.mae, 5),
        iou=round(scores.iou_mean, 4),
    )


def _held_out_scores(recipe: Recipe, trained: Trained) -> SetScores:
    evaluation = Evaluation()
    device = next(trained.network.parameters()).device
    samples = trained.data.held_out_steel
    for sample, logits in logits_of(trained.network, samples, normalisation(recipe.normalisation), device):
        saliency = np.rint(255 * (logits * recipe.sharpness).sigmoid().numpy()).astype(np.uint8)
        saliency = cv2.resize(saliency, sample.image.shape[::-1], interpolation=cv2.INTER_LINEAR)
        evaluation.add(np.asarray(saliency, np.uint8), sample.mask)
    return evaluation.scores()


if __name__ == "__main__":
    typer.run(main)
