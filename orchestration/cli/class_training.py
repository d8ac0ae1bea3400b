"""`coilwatch train-classes`: a classifier of findings from a recipe and folders of steel."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ingest.simulation import write_defects
from ingest.simulation.crops import crop_index
from orchestration.cli.console import activity, frames_progress, say
from orchestration.cli.folders import made_folder, written_once
from orchestration.cli.training import STRIP_SEED

if TYPE_CHECKING:
    from models.classes.data import ClassData, Steel
    from models.classes.recipe import ClassRecipe
    from models.classes.training import ClassRun

MAPS_FOLDER = "maps"


def train_classes_command(
    recipe: Annotated[str, typer.Argument(help="Shipped recipe of a classifier or TOML file.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", help="Folder of labelled steel; may be given several times."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of weights and of the state to go on from.")
    ],
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Instead of the recipe's.")] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Processor threads.", show_default="all")
    ] = None,
) -> None:
    """Train a classifier of findings by a recipe, or go on with a run that was cut off.

    A folder holds images in folders named by their label, or named like In_12 by the letters of it; masks of
    equal names in masks/ beside images/ are used where there are some. Images of SD-saliency-900's test split
    are refused, and X-SDD images whose crops judge simulated coils never train. Findings of simulated strip
    are written into the output folder where the recipe wants some.

    The output folder then holds RECIPE.safetensors: weights with their class list, temperature and the
    confidence below which a finding is unknown, for the setting model.classifier. Killed at any moment, the
    same command goes on and ends with the weights of an uninterrupted run, on the same processor with as many
    threads.

    Example: coilwatch train-classes steel-classes --data sd-saliency-900/train --data x-sdd -o runs/classes
    """
    with activity("Loading PyTorch ..."):
        # torch takes seconds to import, and every command imports this module.
        import torch  # noqa: PLC0415

        from models.classes.data import read_steel  # noqa: PLC0415
        from models.classes.recipe import load_class_recipe  # noqa: PLC0415
        from models.classes.training import ClassRun  # noqa: PLC0415

    chosen = load_class_recipe(recipe, seed=seed)
    # Strip takes minutes to write: folders that nothing can be trained on are told of before.
    with activity("Reading images ..."):
        steel = read_steel(chosen, data, pinned_sides())
    made_folder(output)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    strip = _simulated_defects(output, chosen.strip_defects) if chosen.strip_defects else None
    gathered = _gathered(chosen, steel, strip, output / MAPS_FOLDER)
    _train(ClassRun(chosen, gathered, output, remake_command(recipe, chosen, len(data), seed)))


def pinned_sides() -> dict[str, Literal["train", "held back"]]:
    """The X-SDD images that simulated strip is made of: one half trains, the other judges."""
    return {crop.name: "held back" if crop.half == "judge" else "train" for crop in crop_index()}


def remake_command(recipe: str, chosen: ClassRecipe, folders: int, seed: int | None) -> str:
    """The command that makes the weights of a run again, folders left to fill in."""
    words = ["coilwatch", "train-classes", recipe if recipe == chosen.name else f"{chosen.name}.toml"]
    words += ["--data", "DIR"] * folders
    words += [] if seed is None else ["--seed", str(seed)]
    return shlex.join([*words, "--output", "DIR"])


def _gathered(recipe: ClassRecipe, steel: Steel, strip: Path | None, kept_maps: Path) -> ClassData:
    from models.classes.data import gather_classes  # noqa: PLC0415

    with frames_progress() as bars:
        task = bars.add_task("Making maps of the images", total=None, note="")
        return gather_classes(
            recipe,
            steel,
            strip,
            kept_maps,
            lambda done, total: bars.update(task, completed=done, total=total),
        )


def _train(run: ClassRun) -> None:
    from models.classes.training import train_classes  # noqa: PLC0415
    from orchestration.cli.training_view import training_progress  # noqa: PLC0415

    with training_progress() as bars:
        task = bars.add_task(run.recipe.name, total=run.recipe.steps, note="")
        info = train_classes(
            run, lambda step, loss: bars.update(task, completed=step, note=f"loss {loss:.4f}")
        )
    figures = ", ".join(f"{name} {value:.3f}" for name, value in info.metrics.items())
    say(f"Wrote {run.weights}: {figures}")


def _simulated_defects(output: Path, defects: int) -> Path:
    return written_once(
        output / f"strip-defects-{defects}",
        f"Writing {defects:,} findings of simulated strip ...",
        lambda folder: write_defects(folder, defects=defects, seed=STRIP_SEED),
    )
