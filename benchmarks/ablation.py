"""What each part of CoilNet is worth: one of them changed at a time, three seeds each, at equal steps.

python -m benchmarks.ablation --data DIR

trains the recipe `coilnet-narrow` again and again, judged by the training images that it holds out. Each run
is written as it ends, beside the evaluations, where `python -m benchmarks.accuracy page` finds it; what is
written already is not run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import Progress

from benchmarks.trials import Trial, run_missing, train
from models.networks.cost import cost
from models.training.recipe import Recipe, find_recipe, load_recipe

RECIPE = "coilnet-narrow"
SEEDS = (7, 8, 9)
FILE = Path(__file__).parent / "accuracy" / "ablation.json"

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as it is: 48 channels": {},
    "16 channels": {"knobs": {"pretrained": True, "channels": 16}},
    "32 channels": {"knobs": {"pretrained": True, "channels": 32}},
    "96 channels": {"knobs": {"pretrained": True, "channels": 96}},
    "no refinement": {"knobs": {"pretrained": True, "refinement": False}},
    "refinement at full resolution": {"knobs": {"pretrained": True, "full_refinement": True}},
    "BCE and IoU in the place of structure": {"loss": {"bce": 1.0, "ssim": 0.0, "iou": 1.0}},
    # An encoder that begins anew learns at the full rate.
    "no ImageNet weights": {"knobs": {}, "encoder_rate_factor": 1.0},
}
"""Settings that count instead of the recipe's."""


class Run(Trial):
    """One variant under one seed.

    Attributes:
        variant: what was changed.
        seed: of initial weights and batches; the images held out are the same for all.
        parameters, macs: of its network, for one 256 tile.
        iou, mae: on held-out images of steel, at half saliency and of saliency.
    """

    variant: str
    seed: int
    parameters: int
    macs: int
    iou: float
    mae: float


def variants() -> Iterator[tuple[str, Recipe]]:
    """Every variant's name and recipe, seed by seed."""
    for seed in SEEDS:
        for variant, changes in VARIANTS.items():
            yield variant, load_recipe(find_recipe(RECIPE), seed=seed, **changes)


def main(
    data: Annotated[Path, typer.Option(help="Folder of real steel: images/ and masks/.")],
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Train every variant under every seed, but for what was run before."""
    torch.set_num_threads(threads)
    run_missing(FILE, Run, variants(), partial(_run, data))
    print(FILE)


def _run(data: Path, variant: str, recipe: Recipe, progress: Progress) -> Run:
    trained = train(recipe, data, progress, f"{variant}, seed {recipe.seed}")
    scores = trained.standing.steel
    costs = cost(recipe.network, None, width=recipe.width, **recipe.structure_knobs)
    return Run(
        variant=variant,
        seed=recipe.seed,
        recipe=recipe.digest,
        images=len(trained.data.held_out_steel),
        parameters=costs.parameters,
        macs=costs.macs,
        iou=round(scores.iou, 4),
        mae=round(scores.mae, 5),
    )


if __name__ == "__main__":
    typer.run(main)
