"""Two processes that share a run: one step of them is one step along the mean of their gradients."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from models.data.normalisation import NORMALISATIONS
from models.networks.build import build
from models.training.batches import Batches
from models.training.criterion import Criterion
from models.training.recipe import Recipe
from models.training.sharing import Member
from models.training.state import STATE_FILE
from models.training.trainer import Trainer
from tests.models.training.runs import CPU, STEEL, phase_of, recipe_of

PROCESSES = 2
RATE = 0.1


def shared_recipe() -> Recipe:
    phase = phase_of(1, size_px=64, peak_rate=RATE, warmup_steps=0)
    return recipe_of(
        phase,
        optimizer={"kind": "sgd", "momentum": 0},
        weight_decay=0,
        ema_decay=0,
        max_gradient_norm=float("inf"),
    )


def train_as(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES
    )
    try:
        own = folder / f"{rank}"
        trainer = Trainer(shared_recipe(), STEEL, own, CPU, member=Member(rank, PROCESSES))
        trainer.train()
        own.mkdir(exist_ok=True)
        torch.save(dict(trainer.network.named_parameters()), own / "parameters")
    finally:
        distributed.destroy_process_group()


def mean_step() -> dict[str, torch.Tensor]:
    recipe = shared_recipe()
    torch.manual_seed(recipe.seed)
    network = build(recipe.network, width=recipe.width)
    stepped = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    for rank in range(PROCESSES):
        batch = Batches(recipe, STEEL, Member(rank, PROCESSES))[0]
        own = copy.deepcopy(network).train()
        Criterion(recipe.loss)(own(NORMALISATIONS["steel"](batch.images)), batch.masks).backward()
        for name, parameter in own.named_parameters():
            assert parameter.grad is not None
            stepped[name] -= RATE * parameter.grad / PROCESSES
    return stepped


@pytest.mark.slow
def test_a_shared_step_is_one_along_the_mean_gradient(tmp_path: Path) -> None:
    multiprocessing.spawn(train_as, (tmp_path,), nprocs=PROCESSES)
    first, second = (torch.load(tmp_path / f"{rank}" / "parameters") for rank in range(PROCESSES))
    expected = mean_step()
    for name, parameter in expected.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name].detach(), parameter, rtol=1e-4, atol=1e-6)
    assert (tmp_path / "0" / STATE_FILE).exists()
    assert not (tmp_path / "1" / STATE_FILE).exists()
