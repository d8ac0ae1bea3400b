"""Parameters against accuracy as CSNet is pruned more and more: statistics made anew, no fine-tuning.

python -m benchmarks.pruning WEIGHTS --recipe RECIPE --data DIR --strip DIR
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from pydantic import BaseModel

from models.data.normalisation import normalisation
from models.networks.csnet import CSNet
from models.pruning import prune, reestimate, threshold_for
from models.training.batches import Batches
from models.training.data import gather
from models.training.recipe import find_recipe, load_recipe
from models.training.scoring import score_samples
from models.training.sharing import Member
from models.weights import load

BATCHES = 20
"""That statistics are made from: the curve moves by less than a point beyond as many."""

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


class Point(BaseModel):
    """One network of the curve.

    Attributes:
        threshold: scales below it went.
        parameters: left.
        steel_iou: on held-out training images of steel, at half saliency.
        strip_iou: on held-out tiles of simulated strip.
    """

    threshold: float
    parameters: int
    steel_iou: float
    strip_iou: float


def main(
    weights: Annotated[str, typer.Argument(help="Of a CSNet that no pruning has touched.")],
    recipe: Annotated[str, typer.Option(help="That trained it: splits and batches are its own.")],
    data: Annotated[Path, typer.Option(help="Folder of real steel: images/ and masks/.")],
    strip: Annotated[Path, typer.Option(help="Folder of simulated strip.")],
) -> None:
    """Print the curve as JSON."""
    network, _ = load(weights)
    if not isinstance(network, CSNet):
        raise typer.BadParameter(f"expected weights of a CSNet, got {type(network).__name__}")
    chosen = load_recipe(find_recipe(recipe))
    samples = gather(chosen, data, [strip])
    normalise = normalisation(chosen.normalisation)
    batches = Batches(chosen, samples, Member())
    images = [normalise(batches[step].images, network.in_channels) for step in range(BATCHES)]
    whole = sum(parameter.numel() for parameter in network.parameters())
    points: list[Point] = []
    for share in SHARES:
        threshold = threshold_for(network, round(share * whole))
        pruned = prune(network, threshold)
        reestimate(pruned, images)
        steel, of_strip = (
            score_samples(pruned, held_out, normalise, torch.device("cpu"))
            for held_out in (samples.held_out_steel, samples.held_out_strip)
        )
        points.append(
            Point(
                threshold=threshold,
                parameters=sum(parameter.numel() for parameter in pruned.parameters()),
                steel_iou=round(steel.iou, 4),
                strip_iou=round(of_strip.iou, 4),
            )
        )
    print(json.dumps([point.model_dump() for point in points], indent=2))


if __name__ == "__main__":
    typer.run(main)
