"""What each part of CoilNet is worth: one of them changed at a time, three seeds each, at equal steps.

python -m benchmarks.ablation --data DIR

trains the recipe `coilnet-narrow` again and again, judged by the training images that it holds out. Each run
is written as it ends, beside the evaluations, where `python -m benchmarks.accuracy page` finds it; what is
written already is not run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import Progress

from benchmarks.trials import train
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
    "BCE and IoU in the place of structure": {"loss": {"bce": 1.0, "ssim": 0.0, "iou": 1.0}},
    # An encoder that begins anew learns at the full rate.
    "no ImageNet weights": {"knobs": {}, "encoder_rate_factor": 1.0},
}
"""Settings that count instead of the recipe's."""


class Run(BaseModel):
    """One training.

    Attributes:
        variant: what was changed.
        seed: of initial weights and batches; the images held out are the same for all.
        recipe: its digest, seed and changes included.
        parameters, macs: of its network, for one 256 tile.
        iou, mae: on held-out images of steel, at half saliency and of saliency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    seed: int
    recipe: str
    parameters: int
    macs: int
    iou: float
    mae: float


class Ablation(BaseModel):
    """All runs so far.

    Attributes:
        images: held out.
        runs: by variant and seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = 0
    runs: tuple[Run, ...] = ()


def measured_ablation(file: Path = FILE) -> Ablation:
    """What was run so far.

    Raises:
        ValidationError: the file holds something else.
    """
    return Ablation.model_validate_json(file.read_bytes()) if file.exists() else Ablation()


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
    with Progress(console=Console(stderr=True)) as progress:
        for variant, recipe in variants():
            done = measured_ablation()
            if recipe.digest not in {run.recipe for run in done.runs}:
                images, run = _run(variant, recipe, data, progress)
                known = Ablation(images=images, runs=(*_current(done), run))
                FILE.write_text(known.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(FILE)


def _current(done: Ablation) -> Iterator[Run]:
    """Runs of recipes that are still as they were."""
    digests = {recipe.digest for _, recipe in variants()}
    return (run for run in done.runs if run.recipe in digests)


def _run(variant: str, recipe: Recipe, data: Path, progress: Progress) -> tuple[int, Run]:
    trained = train(recipe, data, progress, f"{variant}, seed {recipe.seed}")
    scores = trained.standing.steel
    costs = cost(recipe.network, None, width=recipe.width, **recipe.structure_knobs)
    run = Run(
        variant=variant,
        seed=recipe.seed,
        recipe=recipe.digest,
        parameters=costs.parameters,
        macs=costs.macs,
        iou=round(scores.iou, 4),
        mae=round(scores.mae, 5),
    )
    return len(trained.data.held_out_steel), run


if __name__ == "__main__":
    typer.run(main)
