"""Two processes that share a run: one step of them is one step along the mean of their gradients."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from models.data.normalisation import NORMALISATIONS
from models.networks.build import build
from models.networks.csnet_channels import CSNetChannels
from models.training.batches import Batches
from models.training.criterion import Criterion
from models.training.recipe import Recipe
from models.training.sharing import Member
from models.training.state import STATE_FILE
from models.training.trainer import Trainer
from tests.models.training.runs import CPU, STEEL, phase_of, recipe_of

PROCESSES = 2
RATE = 0.1

_TINY = CSNetChannels.published(4)
EMPTY_SCALE = str(replace(_TINY, dilated=((0,) * 5, *_TINY.dilated[1:])))
"""Channels of a CSNet whose head has a scale without a pyramid."""


def shared_recipe() -> Recipe:
    return stepping(1)


def stepping(steps: int, **settings: object) -> Recipe:
    phase = phase_of(steps, size_px=64, peak_rate=RATE, warmup_steps=0)
    plain = {
        "optimizer": {"kind": "sgd", "momentum": 0},
        "weight_decay": 0,
        "ema_decay": 0,
        "max_gradient_norm": float("inf"),
    }
    return recipe_of(phase, **{**plain, **settings})


def train_as(rank: int, folder: Path, recipe: Recipe) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES
    )
    try:
        own = folder / f"{rank}"
        trainer = Trainer(recipe, STEEL, own, CPU, member=Member(rank, PROCESSES))
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
    multiprocessing.spawn(train_as, (tmp_path, shared_recipe()), nprocs=PROCESSES)
    first, second = (torch.load(tmp_path / f"{rank}" / "parameters") for rank in range(PROCESSES))
    expected = mean_step()
    for name, parameter in expected.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name].detach(), parameter, rtol=1e-4, atol=1e-6)
    assert (tmp_path / "0" / STATE_FILE).exists()
    assert not (tmp_path / "1" / STATE_FILE).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"loss": {"kind": "dice", "map_weights": (1, 0.5, 0.25, 0)}},
        {"network": "csnet-l-x1", "width": 1.0, "knobs": {"preset": "", "channels": EMPTY_SCALE}},
    ],
    ids=["map of weight 0", "scale without channels"],
)
def test_what_no_loss_reaches_is_shared_as_it_trains_alone(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    # A gradient that never comes is missed at the second step.
    recipe = stepping(2, **settings)
    multiprocessing.spawn(train_as, (tmp_path, recipe), nprocs=PROCESSES)
    first, second = (torch.load(tmp_path / f"{rank}" / "parameters") for rank in range(PROCESSES))
    assert all(torch.equal(first[name], second[name]) for name in first)
