"""A whole run: from a recipe and folders to weights, log and plots in an output folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from models.errors import TrainingError
from models.training.data import gather
from models.training.devices import execution
from models.training.export import Exporter
from models.training.recipe import Recipe
from models.training.run_log import RunLog, read_log
from models.training.sharing import Member
from models.training.trainer import Trainer
from models.training.watching import Watcher
from models.weights.files import write_atomically
from models.weights.registry import SUFFIX

LOCK_FILE = "run.lock"
PLOT_FILE = "training.svg"


@dataclass(frozen=True)
class TrainingRun:
    """What a run is made of.

    Attributes:
        recipe: what to do.
        steel: folder of real steel, `images` and `masks`.
        strips: folders of simulated strip.
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
    device: str = "auto"
    loaders: int = 0

    @property
    def weights(self) -> Path:
        """The file of the best weights."""
        return self.output / f"{self.recipe.name}{SUFFIX}"


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
    data = gather(run.recipe, run.steel, run.strips)
    exporter = Exporter(run.weights, run.recipe, data.description, run.command)
    with _alone(run.output) if member.is_first else nullcontext():
        trainer = Trainer(run.recipe, data, run.output, where, loaders=run.loaders, member=member)
        trainer.train(RunLog(run.output), exporter, *watchers)
        if member.is_first:
            _plot(run)


def _plot(run: TrainingRun) -> None:
    # matplotlib takes long to import, and is needed at the end alone.
    from models.training.plots import run_svg  # noqa: PLC0415

    recipe = run.recipe
    svg = run_svg(read_log(run.output), f"{recipe.name}: {recipe.network}, {recipe.total_steps} steps")
    write_atomically(run.output / PLOT_FILE, svg.encode())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(f"another training runs in {folder}") from None
        yield
