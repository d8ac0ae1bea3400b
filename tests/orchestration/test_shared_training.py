"""Two processes of a Ray cluster share a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.errors import TrainingError
from models.training.run import TrainingRun, run_training
from models.training.run_log import read_log
from models.training.state import STATE_FILE
from models.weights.registry import load
from orchestration import shared_training
from orchestration.errors import MissingProgramError
from orchestration.settings import RaySettings
from orchestration.shared_training import STORAGE, SharedRun, check_resources, train_shared
from orchestration.stack import ray_local
from orchestration.stack.state import StartedPart
from tests.models.samples import patch_sample, write_sample
from tests.models.training.runs import phase_of, recipe_of


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    for index in range(1, 9):
        write_sample(tmp_path / "steel", patch_sample(f"In_{index}", seed=index, side=32))
    recipe = recipe_of(phase_of(4), held_out_share=0.25)
    return TrainingRun(recipe, tmp_path / "steel", tmp_path / "run", "coilwatch train test", device="cpu")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Data sets off its own
def test_two_processes_train_to_the_end(run: TrainingRun) -> None:
    for name in ("pandas", "pyarrow"):
        pytest.importorskip(name, reason="needs the extra multi-gpu")
    train_shared(SharedRun(run, processes=2, threads=1), RaySettings())
    _, info = load(run.weights)
    assert info.version == "test.4"
    assert [line["step"] for line in read_log(run.output)] == [4, 4]
    assert not (run.output / STORAGE).exists()
    before = (run.output / STATE_FILE).read_bytes()
    with pytest.raises(TrainingError, match="other processes: expected 1, got 2"):
        run_training(run)
    assert (run.output / STATE_FILE).read_bytes() == before


def test_test_images_do_not_reach_a_cluster(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_training, "find_spec", lambda _: True)
    folder = run.steel.rename(run.steel.parent / "test")
    of_test = TrainingRun(run.recipe, folder, run.output, run.command, device="cpu")
    with pytest.raises(TrainingError, match="holds test images"):
        train_shared(SharedRun(of_test, processes=2, threads=1), RaySettings())


def test_what_ray_train_lacks_is_named(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_training, "find_spec", lambda _: None)
    with pytest.raises(MissingProgramError, match=r"pip install 'coilwatch\[multi-gpu\]'"):
        train_shared(SharedRun(run, processes=2, threads=1), RaySettings())


@pytest.mark.parametrize(
    ("cluster", "on_gpu", "message"),
    [
        ({"CPU": 16.0, "GPU": 2.0}, True, "3 processes need 3 GPUs: the Ray cluster has 2"),
        ({"CPU": 16.0}, True, "3 processes need 3 GPUs: the Ray cluster has 0"),
        ({"CPU": 2.0, "GPU": 8.0}, False, "3 processes need 3 processors: the Ray cluster has 2"),
    ],
    ids=["GPUs", "no GPU", "processors"],
)
def test_more_processes_than_the_cluster_takes_are_refused(
    cluster: dict[str, float], on_gpu: bool, message: str
) -> None:
    with pytest.raises(TrainingError, match=f"^{message}$"):
        check_resources(cluster, 3, on_gpu=on_gpu)
    check_resources({"CPU": 3.0}, 3, on_gpu=False)
    check_resources({"CPU": 1.0, "GPU": 3.0}, 3, on_gpu=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_waits_for_processors_in_vain_does_not_begin(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pandas", "pyarrow"):
        pytest.importorskip(name, reason="needs the extra multi-gpu")
    start = ray_local.start

    def start_small(settings: RaySettings, *arguments: Any) -> StartedPart:
        return start(settings.model_copy(update={"cpus": 1}), *arguments)

    monkeypatch.setattr(ray_local, "start", start_small)
    with pytest.raises(TrainingError, match="2 processes need 2 processors: the Ray cluster has 1"):
        train_shared(SharedRun(run, processes=2, threads=1), RaySettings())
