"""The recipes that ship: each trains, none names a place, and the published ones are as published."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from models.data.normalisation import NORMALISATIONS
from models.data.steps import PUBLISHED_STEPS
from models.networks.coilnet import CoilNet
from models.training.data import TrainingData
from models.training.recipe import Phase, Recipe, find_recipe, load_recipe, shipped_recipes
from models.training.structure import build_for
from models.training.trainer import Trainer
from models.weights.files import read_weights
from models.weights.registry import available, locate
from tests.models.samples import patch_sample
from tests.models.training.runs import CPU, DATA

TINY_WIDTHS = {"scfnet": 0.5, "csnet-x1": 0.2, "csnet-x2": 0.1, "pfanet": 0.125}
"""Of the networks that a sixteenth leaves no channels."""

SPREAD = TrainingData(
    [patch_sample(f"In_{seed}", seed, side=200) for seed in range(2)],
    DATA.held_out_steel,
    DATA.strip,
    DATA.held_out_strip,
    frames=[patch_sample(f"frame{seed}", seed, side=200) for seed in range(2)],
    unlabelled=[patch_sample(f"{seed}", seed, side=200) for seed in range(2)],
    teacher="a teacher",
)

PUBLISHED = {
    "edrnet": "edrnet",
    "cat-ednet": "cat-ednet",
    "basnet": "basnet",
    "u2net": "u2net",
    "u2netp": "u2net",
    "pfanet": "pfanet",
    "scfnet": "scfnet",
    "scfnet-resnet50": "scfnet",
    "csnet-x1": "csnet",
    "csnet-x2": "csnet",
}
"""Recipes, and whose augmentation theirs is."""


def shipped(name: str) -> Recipe:
    return load_recipe(find_recipe(name))


def tiny(recipe: Recipe) -> Recipe:
    """One step of every phase, at a width and a number of images that take no time."""
    width = TINY_WIDTHS.get(recipe.network, 0.0625 if recipe.width == 1 else recipe.width / 4)
    knobs = {name: value for name, value in recipe.knobs.items() if name != "pretrained"}
    phases = tuple(
        phase.model_copy(
            update={"steps": 1, "batch": 2, "multi_scale_px": (64,) if phase.multi_scale_px else ()}
        )
        for phase in recipe.phases
    )
    changed = {"width": width, "knobs": knobs, "start": None, "phases": phases, "bfloat16": False}
    return recipe.model_copy(update=changed)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_recipe_takes_its_steps(name: str, tmp_path: Path) -> None:
    recipe = shipped(name)
    assert recipe.name == name
    trainer = Trainer(tiny(recipe), SPREAD, tmp_path, CPU)
    trainer.train()
    assert trainer.progress.step == len(recipe.phases)
    assert trainer.progress.lost_steps == 0


def test_recipes_fit_what_they_start_from() -> None:
    starting = [recipe for recipe in map(shipped, shipped_recipes()) if recipe.start]
    assert [recipe.name for recipe in starting] == ["coilnet-line"]
    assert [build_for(recipe).input_weight for recipe in starting] == [CoilNet.input_weight]


@pytest.mark.parametrize("name", available())
def test_recipes_make_the_weights_that_ship(name: str) -> None:
    _, info = read_weights(locate(name))
    words = info.recipe.split()
    assert words[:2] == ["coilwatch", "train"]
    recipe = shipped(words[2])
    assert (recipe.network, recipe.width, recipe.structure_knobs) == (info.network, info.width, info.knobs)
    assert recipe.sharpness == info.sharpness
    made_by, _, step = info.version.rpartition(".")
    assert made_by == recipe.name
    assert recipe.phase_at(int(step) - 1)[0] == recipe.phases[-1]


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_recipe_names_a_place_or_the_test_images(name: str) -> None:
    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for part in value.values() for text in strings(part)]
        if isinstance(value, list):
            return [text for part in value for text in strings(part)]
        return [value] if isinstance(value, str) else []

    for text in strings(tomllib.loads(find_recipe(name).read_text(encoding="utf-8"))):
        assert not re.search(r"[/\\]|\btest\b", text)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_recipes_augment_as_their_papers_do(name: str) -> None:
    (phase,) = shipped(name).phases
    assert phase.augmentation == PUBLISHED_STEPS[PUBLISHED[name]]
    assert phase.order == "epochs"


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name not in PUBLISHED])
def test_weights_of_our_own_recipes_run_on_the_line(name: str) -> None:
    assert shipped(name).normalisation == "steel"


@pytest.mark.parametrize(
    "name", [name for name in shipped_recipes() if shipped(name).knobs.get("pretrained")]
)
def test_pretrained_backbones_see_images_of_imagenets_scale(name: str) -> None:
    expected = NORMALISATIONS["imagenet"].deviation
    assert NORMALISATIONS[shipped(name).normalisation].deviation == pytest.approx(expected, rel=0.15)


def rates(phase: Phase, *steps: int) -> list[float]:
    return [phase.rate(step) for step in steps]


def test_published_rates() -> None:
    for name, steps in (("edrnet", 62_000), ("cat-ednet", 70_000), ("basnet", 400_000)):
        (phase,) = shipped(name).phases
        assert (phase.steps, phase.batch) == (steps, 8)
        assert rates(phase, 0, steps - 1) == [1e-3, 1e-3]
    (pfanet,) = shipped("pfanet").phases
    assert rates(pfanet, 0, 4_399, 4_400, 35_199) == pytest.approx([1e-2, 1e-2, 5e-3, 1e-2 / 128])
    (scfnet,) = shipped("scfnet").phases
    assert scfnet.steps == 69 * 83
    assert rates(scfnet, 414, 415) == pytest.approx([6.4e-2, 6.4e-2])
    assert rates(scfnet, 0, 5_726) == pytest.approx([6.4e-4 + (6.4e-2 - 6.4e-4) / 415, 6.4e-4], rel=1e-3)
    (csnet,) = shipped("csnet-x1").phases
    assert csnet.steps == 300 * 439
    assert rates(csnet, 0, 87_799, 87_800, 109_750) == pytest.approx([1e-4, 1e-4, 1e-5, 1e-6])
