"""Recipes: everything that decides a training run, in one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from models.data.steps import AugmentationStep
from models.errors import RecipeError
from models.networks.build import NETWORKS
from models.weights.files import Knob

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_network(name: str) -> str:
    if name not in NETWORKS:
        raise ValueError(f"expected one of {', '.join(NETWORKS)}, got {name}")
    return name


class LossWeights(_Record):
    """Weights of the hybrid loss; a recipe with several such tables adds them up.

    Attributes:
        bce: of binary cross entropy.
        ssim: of the structural term.
        iou: of the overlap term.
        map_weights: of every supervised map, the final one first; all 1 without.
    """

    bce: float = Field(default=1.0, ge=0)
    ssim: float = Field(default=0.0, ge=0)
    iou: float = Field(default=1.0, ge=0)
    map_weights: tuple[float, ...] | None = None


def _as_terms(value: object) -> object:
    return (value,) if isinstance(value, dict | LossWeights) else value


class Phase(_Record):
    """One stretch of training with its own learning-rate cycle.

    Attributes:
        name: for the log.
        steps: optimiser steps.
        size_px: side of the square crops; a multiple of the network's size multiple.
        batch: images a step.
        peak_rate: highest learning rate; rises over `warmup_steps`, then falls along half a cosine to zero.
        strip_share: share of the batch that is tiles of simulated strip.
        min_zoom: smallest scale of a crop of the steel images.
        max_zoom: largest such scale.
        defect_share: share of crops that are sure to show a defect.
        augmentation: steps for the steel images instead of zoom and defect share, as a paper names them; what
            comes out has a side of `size_px`.
    """

    name: str
    steps: Positive
    size_px: Positive
    batch: Positive = 8
    peak_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=50, ge=0)
    strip_share: Share = 0.0
    min_zoom: float = Field(default=0.8, gt=0)
    max_zoom: float = Field(default=1.6, gt=0)
    defect_share: Share = 0.0
    augmentation: tuple[AugmentationStep, ...] = ()


class Recipe(_Record):
    """A whole training run.

    Attributes:
        name: goes into the weights' metadata.
        network: one of `models.networks.build.NETWORKS`.
        width: its width factor.
        knobs: of that network, over those of its name.
        seed: of initial weights, batches and augmentation.
        held_out_share: share of every class that only chooses, never trains.
        held_out_strip_tiles: the last so many strip tiles choose; neighbours share a coil, so a block is cut.
        weight_decay: decoupled, on weights of more than one dimension.
        max_gradient_norm: gradients are scaled down to this.
        ema_decay: of the average of weights that is scored and exported.
        score_every: steps between scorings on the held-out samples.
        bfloat16: run convolutions in bfloat16 where that is safe.
        encoder_rate_factor: on the learning rate of the part of the network named `backbone`.
        channels_last: memory layout of the network and its input; float32 alone is safe in it.
        half_precision: of the weights file; half the size, and maps a grey level or so off.
        loss: terms that are added up.
    """

    name: str
    network: Annotated[str, AfterValidator(_known_network)]
    width: float = Field(default=1.0, gt=0)
    knobs: dict[str, Knob] = {}
    seed: int = 7
    held_out_share: Share = 0.11
    held_out_strip_tiles: Positive = 96
    weight_decay: float = Field(default=1e-4, ge=0)
    max_gradient_norm: float = Field(default=1.0, gt=0)
    ema_decay: Share = 0.995
    score_every: Positive = 200
    bfloat16: bool = True
    encoder_rate_factor: float = Field(default=1.0, gt=0)
    channels_last: bool = False
    half_precision: bool = False
    loss: Annotated[tuple[LossWeights, ...], BeforeValidator(_as_terms)] = (LossWeights(),)
    phases: tuple[Phase, ...] = Field(min_length=1)

    @property
    def structure_knobs(self) -> dict[str, Knob]:
        """The knobs without `pretrained`, which says how training starts and not what comes out."""
        return {name: value for name, value in self.knobs.items() if name != "pretrained"}

    @property
    def total_steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def needs_strip(self) -> bool:
        """Whether any phase trains on simulated strip."""
        return any(phase.strip_share for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """Return the phase of a step counted from 0, and the step inside that phase."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise IndexError(f"recipe {self.name} has {self.total_steps} steps")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        RecipeError: the file is missing, is not TOML, or names an unknown or wrong setting.
    """
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read recipe {path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"recipe {path}: {where}: {first['msg']}") from error
