"""Two processes of a Ray cluster share a training run."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import TrainingError
from models.training.run import TrainingRun, run_training
from models.training.run_log import read_log
from models.training.state import STATE_FILE
from models.weights.registry import load
from orchestration import shared_training
from orchestration.errors import MissingProgramError
from orchestration.settings import RaySettings
from orchestration.shared_training import STORAGE, SharedRun, train_shared
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
