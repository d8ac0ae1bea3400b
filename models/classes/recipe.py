"""Recipes of classifiers: labels, classes, split, augmentation and schedule in one TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.classes.network import STAGES
from models.data.steps import AugmentationStep
from models.training.recipe import RunName, find_recipe, parse_recipe
from models.training.record import Count, Positive, Record, Seed, Share, settings_digest
from models.training.schedules import CosineSchedule, Schedule

SHIPPED = Path(__file__).parent.parent / "recipes" / "classes"

ClassName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class Label(Record):
    """What a data set calls a defect, and what becomes of its images.

    Attributes:
        defect_class: ours.
        validation_share: share of its images that calibrate, and never train.
        held_back_share: share that only reports; 0 where the set has test images of its own.
    """

    defect_class: ClassName
    validation_share: Share = 0.15
    held_back_share: Share = 0.0


class ClassRecipe(Record):
    """A whole training run of a classifier.

    Attributes:
        name: goes into the weights' metadata.
        seed: of initial weights, batches and augmentation.
        classes: names, in the order of the network's outputs.
        labels: by the name of a folder, or by the letters of file names such as `In_12`.
        block: so many neighbouring numbers of file names stay on one side of the split: they may show one
            piece of steel.
        map_models: shipped weights whose maps tell the findings of images that have no mask.
        steps: optimiser steps.
        batch: crops a step.
        peak_rate: highest learning rate; rises over `warmup_steps`, then follows the schedule.
        encoder_rate_factor: on the rate of the encoder.
        frozen_stages: of the encoder that stay as ImageNet left them.
        weight_decay: of weights of more than one dimension.
        label_smoothing: share of a label that goes to the other classes.
        balance: 0 draws classes by their number of images, 1 each as often.
        whole_share: share of crops whose finding is all that is marked in the image, not one region of it.
        ema_decay: of the average of weights that is calibrated and exported.
        least_precision: of those named on the validation images; below the confidence that gives it, a
            finding is unknown.
        strip_defects: findings of simulated strip that train beside the images.
        augmentation: of the crops, whose size it keeps.
    """

    name: RunName
    seed: Seed = 7
    classes: tuple[ClassName, ...] = Field(min_length=2)
    labels: dict[str, Label] = Field(min_length=2)
    block: Positive = 10
    map_models: tuple[str, ...] = ("coilnet-m",)
    steps: Positive
    batch: Positive = 32
    peak_rate: float = Field(gt=0)
    warmup_steps: Count = 50
    schedule: Schedule = CosineSchedule()
    encoder_rate_factor: float = Field(default=1.0, gt=0)
    frozen_stages: int = Field(default=0, ge=0, le=STAGES)
    weight_decay: float = Field(default=1e-2, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    balance: Share = 0.5
    whole_share: Share = 0.1
    ema_decay: Share = 0.99
    least_precision: Share = 0.97
    strip_defects: Count = 0
    augmentation: tuple[AugmentationStep, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        used = {label.defect_class for label in self.labels.values()}
        if used != set(self.classes) or len(set(self.classes)) != len(self.classes):
            raise ValueError(
                "classes: expected each class of the labels once, "
                f"got {', '.join(self.classes)} for {', '.join(sorted(used))}"
            )
        return self

    @property
    def digest(self) -> str:
        """Of the settings: a run goes on with the recipe that it began with."""
        return settings_digest(self)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.peak_rate * (step + 1) / self.warmup_steps
        return self.peak_rate * self.schedule.share(step - self.warmup_steps, self.steps - self.warmup_steps)


def load_class_recipe(recipe: str, **instead: object) -> ClassRecipe:
    """Read a recipe by its shipped name or by its path.

    Args:
        recipe: name or path.
        instead: settings that count instead of those of the file; None leaves the file's.

    Raises:
        RecipeError: neither a shipped name nor a TOML file, or a setting that is unknown or wrong.
    """
    return parse_recipe(ClassRecipe, find_recipe(recipe, SHIPPED), **instead)
