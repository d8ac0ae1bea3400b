"""`coilwatch train`: weights from a recipe and a folder of steel."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.simulation import write_tiles
from models.errors import TrainingError
from orchestration.cli.console import activity, say
from orchestration.cli.folders import OutputError, made_folder, written_once
from orchestration.cli.state import state

if TYPE_CHECKING:
    from models.training.recipe import Recipe
    from models.training.run import TrainingRun
    from orchestration.settings import RaySettings
    from orchestration.shared_training import SharedRun

STRIP_SEED = 1
"""Seeds of its coils come from 1,000 up: the demo's coil, 7, is none of them."""


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Shipped recipe or TOML file.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of real steel: images/ and masks/.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of weights, log, plots and the state to go on from."),
    ],
    strip: Annotated[
        list[Path] | None,
        typer.Option("--strip", help="Folder of simulated strip.", show_default="written where needed"),
    ] = None,
    frames: Annotated[
        list[Path] | None,
        typer.Option(
            "--frames",
            help="Folder of whole frames of a line, for recipes that learn from them: images/ and masks/, 0 "
            "where the strip is clean.",
        ),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option("--unlabelled", help="Folder of steel without masks, for recipes with a teacher."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", help="Shipped weights or a file, whose maps such recipes learn from."),
    ] = None,
    fold: Annotated[
        int | None, typer.Option("--fold", min=0, help="Part of a cross-validation that is held out.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Instead of the recipe's.")] = None,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, or one of several GPUs as cuda:1.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Processor threads.", show_default="all")
    ] = None,
    loaders: Annotated[
        int | None,
        typer.Option(
            "--loaders", min=0, help="Processes that prepare images.", show_default="by GPU and processors"
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="GPUs or processes that share every batch.")
    ] = 1,
) -> None:
    """Train a network by a recipe, or go on with a run that was cut off.

    Some images of the data folder are held out: they choose between weights and never train. Images of
    SD-saliency-900's test split are refused. Recipes that train on simulated strip get it written into the
    output folder, unless --strip names some. Of the frames of --frames some are held out, too, and scored;
    the recipe coilnet-line teaches coilnet-m the strip of your own line by them.

    The output folder then holds RECIPE.safetensors (the best averaged weights, whose metadata say how to make
    them again), training.svg (loss, learning rate, IoU), log.jsonl (the same as figures) and
    state.safetensors. Killed at any moment, the same command goes on from there and ends with the weights of
    an uninterrupted run, on the same processor with as many threads.

    Several processes, each with a GPU of its own where there are GPUs, share every batch by Ray Train, on
    the cluster that the settings name or one that is started for it.

    Example: coilwatch train csnet-first --data sd-saliency-900/train --output runs/csnet-first
    """
    with activity("Loading PyTorch ..."):
        # torch takes seconds to import, and every command imports this module.
        import torch  # noqa: PLC0415

        from models.training.data import split_steel  # noqa: PLC0415
        from models.training.devices import execution  # noqa: PLC0415
        from models.training.frames import split_frames  # noqa: PLC0415
        from models.training.recipe import find_recipe, load_recipe  # noqa: PLC0415
        from models.training.run import TrainingRun  # noqa: PLC0415
        from models.training.structure import build_for  # noqa: PLC0415
        from orchestration.shared_training import SharedRun  # noqa: PLC0415

    path = find_recipe(recipe)
    if processes > 1 and ":" in device:
        raise TrainingError(
            f"--device {device}: expected auto, cpu or cuda, as each of {processes} processes has its own GPU"
        )
    chosen = load_recipe(path, fold=fold, seed=seed)
    _check_needed(chosen, strip, frames, unlabelled, teacher)
    # Strip takes minutes to write: a folder or a device that cannot be used is told of before.
    split_steel(chosen, data)
    if chosen.needs_frames:
        split_frames(chosen, frames or ())
    if chosen.start is not None:
        build_for(chosen)
    # The GPUs of several processes may be other machines'.
    if processes == 1:
        execution(device, low_precision=False)
    made_folder(output)
    threads = threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    strips = tuple(strip or ())
    if chosen.needs_strip and not strips:
        strips = (_simulated_strip(output, chosen),)
    run = TrainingRun(
        chosen,
        data,
        output,
        command=remake_command(
            recipe,
            chosen,
            [
                *["--strip", "DIR"] * len(strip or ()),
                *["--frames", "DIR"] * len(frames or ()),
                *["--unlabelled", "DIR"] * len(unlabelled or ()),
            ],
            {"--teacher": teacher and Path(teacher).name, "--fold": fold, "--seed": seed}
            | {"--processes": processes if processes > 1 else None},
        ),
        strips=strips,
        frames=tuple(frames or ()),
        unlabelled=tuple(unlabelled or ()),
        teacher=_absolute(teacher),
        device=device,
        loaders=_loaders(device, processes) if loaders is None else loaders,
    )
    if processes == 1:
        _train_here(run)
    else:
        shared = SharedRun(run, processes, threads=max(1, threads // processes))
        _train_shared(shared, state(context).settings.ray)
    _say_what_came_out(run)


def remake_command(recipe: str, chosen: Recipe, folders: Sequence[str], options: Mapping[str, object]) -> str:
    """The command that makes the weights of a run again, folders left to fill in.

    Args:
        recipe: as it was named.
        chosen: what it was found to be.
        folders: options that name more data.
        options: others that decide what comes out; None is left out.
    """
    words = ["coilwatch", "train", recipe if recipe == chosen.name else f"{chosen.name}.toml"]
    words += ["--data", "DIR", *folders]
    words += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return shlex.join([*words, "--output", "DIR"])


def _absolute(model: str | None) -> str | None:
    """A weights file by its whole path, since workers run elsewhere; a shipped name as it is."""
    return str(Path(model).resolve()) if model and Path(model).is_file() else model


def _train_here(run: TrainingRun) -> None:
    from models.training.run import run_training  # noqa: PLC0415
    from orchestration.cli.training_view import TrainingView, training_progress  # noqa: PLC0415

    with training_progress() as bars:
        run_training(run, [TrainingView(bars, run.recipe)])


def _train_shared(shared: SharedRun, ray: RaySettings) -> None:
    from orchestration.cli.training_view import TrainingView, following, training_progress  # noqa: PLC0415
    from orchestration.shared_training import train_shared  # noqa: PLC0415

    run = shared.run
    with training_progress() as bars:
        view = TrainingView(bars, run.recipe)
        with following(run.output, view, run.recipe):
            train_shared(shared, ray, view.on_taught)


def _say_what_came_out(run: TrainingRun) -> None:
    if not run.weights.exists():
        raise OutputError(
            f"{run.output} has done all its steps: expected {run.weights.name} beside its state, got none; "
            "train anew in another folder"
        )
    say(f"Wrote {run.weights}, and training.svg and log.jsonl beside it")
    if run.recipe.normalisation != "steel":
        say(
            f"Note: these weights take images normalised as {run.recipe.normalisation}; segment and inspect "
            "normalise as steel. They are for comparison alone."
        )


def _simulated_strip(output: Path, recipe: Recipe) -> Path:
    """Write the strip of a recipe, or take what was written before; other strip has another name."""
    return written_once(
        output / f"strip-{recipe.strip_tiles}",
        f"Writing {recipe.strip_tiles:,} tiles of simulated strip ...",
        lambda folder: write_tiles(folder, tiles=recipe.strip_tiles, seed=STRIP_SEED),
    )


def _check_needed(
    recipe: Recipe,
    strip: list[Path] | None,
    frames: list[Path] | None,
    unlabelled: list[Path] | None,
    teacher: str | None,
) -> None:
    """Refuse data that would train nothing, yet stand in the command that the weights name."""
    for option, value, needed, what in (
        ("--strip", strip, recipe.needs_strip, "simulated strip"),
        ("--frames", frames, recipe.needs_frames, "frames of a line"),
        ("--unlabelled", unlabelled, recipe.needs_teacher, "unlabelled steel"),
        ("--teacher", teacher, recipe.needs_teacher, "a teacher's maps"),
    ):
        if value and not needed:
            raise TrainingError(f"{option}: recipe {recipe.name} does not train on {what}")


def _loaders(device: str, processes: int) -> int:
    """Of each process that feeds a GPU, those beside it; none where the processor itself is the device."""
    import torch  # noqa: PLC0415

    feeds_gpu = torch.cuda.is_available() and device != "cpu"
    return max(1, ((os.cpu_count() or 1) - 1) // processes) if feeds_gpu else 0
