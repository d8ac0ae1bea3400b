"""A tiny run: samples, recipes, and what they are trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from models.training.data import TrainingData
from models.training.devices import Execution
from models.training.recipe import Phase, Recipe
from tests.models.samples import clean_sample, patch_sample

CPU = Execution(torch.device("cpu"))

DATA = TrainingData(
    steel=[patch_sample(f"Pa_{seed}", seed) for seed in range(6)],
    held_out_steel=[patch_sample("Pa_90", 90)],
    strip=[patch_sample("0", 20), clean_sample("1", 21)],
    held_out_strip=[patch_sample("2", 22), clean_sample("3", 23)],
)

STEEL = TrainingData(DATA.steel, DATA.held_out_steel)


def phase_of(steps: int = 1, **settings: object) -> Phase:
    """A phase of small crops."""
    return Phase.model_validate(
        {"name": "a", "steps": steps, "size_px": 32, "batch": 4, "peak_rate": 2e-3, "warmup_steps": 2}
        | settings
    )


def recipe_of(*phases: Phase, **settings: object) -> Recipe:
    """A recipe that scores at the end of each phase."""
    plain: Mapping[str, Any] = {
        "name": "test",
        "network": "scfnet",
        "width": 0.5,
        "phases": phases,
        "bfloat16": False,
        "score_every": 100,
    }
    return Recipe.model_validate({**plain, **settings})


def two_phases(*steps: int) -> tuple[Phase, ...]:
    """Phases of so many steps, every other one with half of the batch from strip."""
    return tuple(
        phase_of(count, name=str(index), strip_share=0.5 * (index % 2)) for index, count in enumerate(steps)
    )
