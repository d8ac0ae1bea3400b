from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.errors import TrainingError
from models.networks.cost import parameters_of
from models.networks.csnet import CSNet
from models.training.recipe import Recipe
from models.training.run import TrainingRun, run_training
from models.training.trainer import Trainer
from models.weights.registry import load
from tests.models.samples import patch_sample, write_sample
from tests.models.training.runs import CPU, STEEL, phase_of, recipe_of
from tests.models.training.test_trainer import assert_resumes_exactly

BOUND = 9_000
CSNET: dict[str, Any] = {
    "network": "csnet-x1",
    "width": 0.2,
    "knobs": {"stem_stride": 2},
    "dynamic_decay": 3.0,
}


def pruning(**settings: object) -> Recipe:
    phases = phase_of(2), phase_of(3, name="b", prune={"parameters": BOUND, "statistics_batches": 2})
    return recipe_of(*phases, **{"score_every": 1, **CSNET, **settings})


@pytest.mark.parametrize(("cut_after", "saved"), [(3, 2), (5, 4)], ids=["as it prunes", "behind it"])
def test_a_run_that_prunes_goes_on_wherever_it_was_cut_off(
    tmp_path: Path, cut_after: int, saved: int
) -> None:
    assert_resumes_exactly(pruning(channels_last=True), tmp_path, cut_after, saved)


def test_a_phase_prunes_and_fine_tunes_what_is_left(tmp_path: Path) -> None:
    trainer = Trainer(pruning(), STEEL, tmp_path, CPU)
    whole = trainer.network
    assert parameters_of(whole) > BOUND
    trainer.train()
    assert isinstance(trainer.network, CSNet)
    assert parameters_of(trainer.network) == parameters_of(trainer.average) <= BOUND
    assert trainer.progress.channels == str(trainer.network.channels)
    assert trainer._decay is None
    assert trainer.network is not whole


def test_weights_of_a_pruned_network_say_what_is_left(tmp_path: Path) -> None:
    for index in range(1, 9):
        write_sample(tmp_path / "steel", patch_sample(f"In_{index}", seed=index, side=32))
    run = TrainingRun(
        pruning(held_out_share=0.25), tmp_path / "steel", tmp_path / "run", "command", device="cpu"
    )
    run_training(run)
    network, info = load(run.weights)
    assert isinstance(network, CSNet)
    assert (info.network, info.width, info.knobs["stem_stride"]) == ("csnet-x1", 1.0, 2)
    assert info.knobs["channels"] == str(network.channels)
    assert parameters_of(network) <= BOUND


def test_only_csnet_is_pruned(tmp_path: Path) -> None:
    recipe = recipe_of(phase_of(prune={"threshold": 0.1}))
    with pytest.raises(TrainingError, match="expected a CSNet to prune, got SCFNet"):
        Trainer(recipe, STEEL, tmp_path, CPU).train()


def test_a_negative_threshold_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"prune\.threshold"):
        phase_of(prune={"threshold": -1})
