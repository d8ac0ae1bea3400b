"""A whole run: from a recipe and folders to weights, log and plots in an output folder."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from models.data.normalisation import normalisation
from models.errors import TrainingError
from models.networks.outputs import SaliencyNetwork
from models.segmenter import Segmenter
from models.training.calibration import gate_threshold
from models.training.data import TrainingData, gather
from models.training.devices import execution
from models.training.export import Exporter
from models.training.memory import keep_freed_memory
from models.training.recipe import Recipe
from models.training.run_log import RunLog, read_log
from models.training.sharing import Member
from models.training.state import STATE_FILE
from models.training.taught import Report, taught_samples
from models.training.trainer import Trainer
from models.training.watching import Watcher
from models.weights.files import write_atomically
from models.weights.registry import SUFFIX

LOCK_FILE = "run.lock"
TAUGHT_FOLDER = "taught"
"""Of the teacher's maps."""
PLOT_FILE = "training.svg"


@dataclass(frozen=True)
class TrainingRun:
    """What a run is made of.

    Attributes:
        recipe: what to do.
        steel: folder of real steel, `images` and `masks`.
        strips: folders of simulated strip.
        frames: folders of frames of a real line, `images` and `masks`.
        unlabelled: folders of steel without masks.
        teacher: weights whose maps take the place of those masks.
        output: folder of state, log, weights and plots; a run that was cut off goes on there.
        command: that makes the weights again, for their metadata.
        device: "auto", "cpu", "cuda" or one of several GPUs as "cuda:1".
        loaders: processes that make batches ahead.
    """

    recipe: Recipe
    steel: Path
    output: Path
    command: str
    strips: tuple[Path, ...] = ()
    frames: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    teacher: str | None = None
    device: str = "auto"
    loaders: int = 0

    @property
    def weights(self) -> Path:
        """The file of the best weights."""
        return self.output / f"{self.recipe.name}{SUFFIX}"

    def data(self, report: Report | None = None) -> TrainingData:
        """Read and split its samples, with a teacher's maps where the recipe asks for them.

        Args:
            report: told after each such map, of how many; those of an earlier call are found again.

        Raises:
            DatasetError: a folder that cannot be used.
            TrainingError: test images, a split that leaves no sample on a side, or no teacher where one is
                needed.
            WeightsError: no such teacher, or damaged weights.
        """
        data = gather(self.recipe, self.steel, self.strips, self.unlabelled, self.frames)
        if not self.recipe.needs_teacher:
            return data
        if self.teacher is None:
            raise TrainingError(
                f"recipe {self.recipe.name} learns from a teacher's maps: expected weights of one, got none"
            )
        # In one precision: processes on other processors must find the same maps.
        teacher = Segmenter.open(
            self.teacher, device=self.device, precision="fp32", threads=torch.get_num_threads()
        )
        taught = taught_samples(teacher, data.unlabelled, self.output / TAUGHT_FOLDER, report)
        return replace(data, unlabelled=taught, teacher=f"{teacher.version} {teacher.digest}")


def run_training(run: TrainingRun, watchers: Sequence[Watcher] = (), member: Member = Member()) -> None:  # noqa: B008 - frozen
    """Train to the end, or to the end of what is left.

    Args:
        run: what to train, from what, to where.
        watchers: told of what happens.
        member: of the processes that share the run.

    Raises:
        ModelsError: data or recipe that cannot be used, or a run that fails.
    """
    where = execution(run.device, low_precision=run.recipe.bfloat16)
    keep_freed_memory()
    watching = watchers if member.is_first else ()

    def report(done: int, total: int) -> None:
        for watcher in watching:
            watcher.on_taught(done, total)

    with alone(run.output) if member.is_first else nullcontext():
        data = run.data(report)
        threshold = _gate_threshold(run.recipe, data, where.device)
        described = data.described(all_steel=run.recipe.phases[-1].all_steel)
        exporter = Exporter(run.weights, run.recipe, described, run.command, threshold)
        trainer = Trainer(run.recipe, data, run.output, where, loaders=run.loaders, member=member)
        trainer.train(RunLog(run.output), exporter, *watchers)
        if member.is_first:
            _plot(run)


def _gate_threshold(
    recipe: Recipe, data: TrainingData, device: torch.device
) -> Callable[[SaliencyNetwork], float] | None:
    if recipe.gate is None:
        return None
    return partial(
        gate_threshold,
        samples=[*data.held_out_steel, *data.held_out_strip],
        calibration=recipe.gate,
        normalise=normalisation(recipe.normalisation),
        device=device,
    )


def _plot(run: TrainingRun) -> None:
    # matplotlib takes long to import, and is needed at the end alone.
    from models.training.plots import run_svg  # noqa: PLC0415

    recipe = run.recipe
    svg = run_svg(read_log(run.output), f"{recipe.name}: {recipe.network}, {recipe.total_steps} steps")
    write_atomically(run.output / PLOT_FILE, svg.encode())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process however it ends.

    Raises:
        TrainingError: another training holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(f"another training runs in {folder}") from None
        for unfinished in [*folder.glob(f".{STATE_FILE}.*"), *folder.glob(f"{TAUGHT_FOLDER}/*/.*.png.*")]:
            # Of a run that was killed while it wrote; a large network's would soon fill the disk.
            unfinished.unlink()
        yield
