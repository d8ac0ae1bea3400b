"""One training run shared by several GPUs or processes, by Ray Train."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.errors import ModelsError, TrainingError
from models.training.devices import execution
from models.training.run import TrainingRun, alone, run_training
from models.training.sharing import Member
from models.training.taught import Report
from orchestration.errors import MissingProgramError
from orchestration.settings import RaySettings
from orchestration.stack import ray_local

MAX_FAILURES = 3
"""Workers that may die before a run is given up; each time all go on from the last state."""

MAX_VAIN_STARTS = 3
"""Times that Ray Train may wait a minute for processors or GPUs that others hold; its default is for ever."""

STORAGE = "ray-train"
"""Ray Train wants a folder; what it keeps there is not ours, since the state of a run is."""


RAY_TRAIN_NEEDS = ("pandas", "pyarrow")


@dataclass(frozen=True)
class SharedRun:
    """A run and who shares it.

    Attributes:
        run: what to train.
        processes: that share every batch; each has a GPU of its own where the run is on GPUs.
        threads: of each on a processor.
    """

    run: TrainingRun
    processes: int
    threads: int


def train_shared(shared: SharedRun, ray: RaySettings, report: Report | None = None) -> None:
    """Train to the end with several processes, on a cluster that exists or one of our own.

    Folders must be at the same place for all of them.

    Args:
        shared: the run and who shares it.
        ray: where the cluster is.
        report: told of the maps that a teacher makes beforehand.

    Raises:
        ModelsError: as of one process.
        TrainingError: the cluster has fewer GPUs or processors than the processes need.
        MissingProgramError: Ray Train's own dependencies are not installed.
        StartError: the cluster does not start.
    """
    # Workers run in folders of their own.
    here = shared.run
    run = replace(
        here,
        steel=here.steel.resolve(),
        strips=tuple(folder.resolve() for folder in here.strips),
        frames=tuple(folder.resolve() for folder in here.frames),
        unlabelled=tuple(folder.resolve() for folder in here.unlabelled),
        output=here.output.resolve(),
    )
    on_gpu = execution(run.device, low_precision=False).on_gpu
    _check_installed()
    # What cannot be used is said before a cluster is started, and not tried again by it.
    with alone(run.output):
        run.data(report)
    with _cluster(ray, shared.processes):
        from ray import cluster_resources  # noqa: PLC0415
        from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: PLC0415
        from ray.train.torch import TorchTrainer  # noqa: PLC0415

        cluster = cluster_resources()  # type: ignore[no-untyped-call]
        check_resources(cluster, shared.processes, on_gpu=on_gpu)
        storage = run.output / STORAGE
        trainer = TorchTrainer(
            _work,
            train_loop_config={"run": run, "threads": shared.threads, "on_gpu": on_gpu},
            scaling_config=ScalingConfig(num_workers=shared.processes, use_gpu=on_gpu),
            run_config=RunConfig(
                name=run.recipe.name,
                storage_path=str(storage),
                failure_config=FailureConfig(
                    max_failures=MAX_FAILURES,
                    # mypy sees the class of Ray Train's first version.
                    controller_failure_limit=MAX_VAIN_STARTS,  # type: ignore[call-arg]
                ),
            ),
        )
        try:
            trainer.fit()
        except Exception as error:
            raise _own_error(error) from error
        finally:
            shutil.rmtree(storage, ignore_errors=True)


def check_resources(cluster: Mapping[str, float], processes: int, *, on_gpu: bool) -> None:
    """Find out what Ray Train would wait for in silence.

    Args:
        cluster: what it has, by Ray's names.
        processes: each of which takes a GPU, or a processor where the run is on none.
        on_gpu: whether the run is on GPUs.

    Raises:
        TrainingError: it has less than the processes need.
    """
    name, units = ("GPU", "GPUs") if on_gpu else ("CPU", "processors")
    found = int(cluster.get(name, 0))
    if found < processes:
        raise TrainingError(f"{processes} processes need {processes} {units}: the Ray cluster has {found}")


def _work(settings: Mapping[str, Any]) -> None:
    """What each process does."""
    import torch  # noqa: PLC0415
    from ray.train import get_context  # noqa: PLC0415
    from ray.train.torch import get_device  # noqa: PLC0415

    run: TrainingRun = settings["run"]
    context = get_context()
    member = Member(context.get_world_rank(), context.get_world_size())
    torch.set_num_threads(settings["threads"])
    if settings["on_gpu"]:
        run = replace(run, device=str(get_device()))
    run_training(run, member=member)


@contextmanager
def _cluster(settings: RaySettings, processes: int) -> Iterator[None]:
    if settings.address is not None:
        ray_local.connect(settings.address, None)
        try:
            yield
        finally:
            ray_local.disconnect()
        return
    directory = Path(tempfile.mkdtemp(prefix="coilwatch-train-"))
    try:
        enough = settings.model_copy(update={"cpus": processes + 1})
        part = ray_local.start(enough, directory, lambda _: None)
        ray_local.connect(part.address, directory)
        yield
    finally:
        ray_local.disconnect()
        ray_local.stop(directory)
        shutil.rmtree(directory, ignore_errors=True)


def _check_installed() -> None:
    # Importing Ray itself would read how clusters are entered before there is one.
    if any(find_spec(name) is None for name in RAY_TRAIN_NEEDS):
        raise MissingProgramError(
            "training by several processes needs Ray Train: pip install 'coilwatch[multi-gpu]'"
        )


def _own_error(error: Exception) -> ModelsError:
    """The error of the first process that failed of one of ours, in its own words."""
    failures = getattr(error, "worker_failures", {})
    causes = [getattr(failure, "cause", None) or failure for _, failure in sorted(failures.items())]
    for cause in causes:
        if isinstance(cause, ModelsError):
            return cause
    return TrainingError(f"a process of the shared run failed: {(causes or [error])[0]}")
