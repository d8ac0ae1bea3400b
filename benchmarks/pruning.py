"""Parameters against accuracy as a CSNet is pruned more and more: statistics made anew, no fine-tuning.

python -m benchmarks.pruning WEIGHTS --recipe RECIPE --data DIR

writes the curve beside the evaluations, where `python -m benchmarks.accuracy page` finds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from pydantic import BaseModel, ConfigDict

from models.data.normalisation import normalisation
from models.networks.cost import parameters_of
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

FOLDER = Path(__file__).parent / "accuracy" / "pruning"


class Point(BaseModel):
    """One network of the curve.

    Attributes:
        threshold: scales below it went.
        parameters: left.
        iou: on held-out training images of steel, at half saliency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float
    parameters: int
    iou: float


class Curve(BaseModel):
    """What is left of one network's accuracy.

    Attributes:
        recipe: that trained it.
        version: of its weights.
        images: held out.
        points: from the whole network down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    version: str
    images: int
    points: tuple[Point, ...]


def curves(folder: Path = FOLDER) -> list[Curve]:
    """The curves that were measured, by the name of their recipe."""
    return [Curve.model_validate_json(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def main(
    weights: Annotated[str, typer.Argument(help="Of a CSNet that no pruning has touched.")],
    recipe: Annotated[str, typer.Option(help="That trained it: splits and batches are its own.")],
    data: Annotated[Path, typer.Option(help="Folder of real steel: images/ and masks/.")],
    strip: Annotated[
        list[Path] | None, typer.Option(help="Folder of simulated strip, where the recipe trains on it.")
    ] = None,
) -> None:
    """Measure a curve and write it as JSON."""
    network, info = load(weights)
    if not isinstance(network, CSNet):
        raise typer.BadParameter(f"expected weights of a CSNet, got {type(network).__name__}")
    chosen = load_recipe(find_recipe(recipe))
    samples = gather(chosen, data, strip or [])
    normalise = normalisation(chosen.normalisation)
    batches = Batches(chosen, samples, Member())
    images = [normalise(batches[step].images, network.in_channels) for step in range(BATCHES)]
    whole = parameters_of(network)
    points: list[Point] = []
    for share in SHARES:
        threshold = threshold_for(network, round(share * whole))
        pruned = prune(network, threshold)
        reestimate(pruned, images)
        scores = score_samples(pruned, samples.held_out_steel, normalise, torch.device("cpu"))
        points.append(Point(threshold=threshold, parameters=parameters_of(pruned), iou=round(scores.iou, 4)))
    curve = Curve(
        recipe=chosen.name, version=info.version, images=len(samples.held_out_steel), points=tuple(points)
    )
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{chosen.name}.json"
    path.write_text(curve.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    typer.run(main)
