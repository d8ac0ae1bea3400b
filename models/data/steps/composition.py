"""Lists of steps: as a recipe declares them, as the papers have them, and as one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from numpy.random import Generator
from pydantic import Field

from models.data.steps.clean import CleanMirror
from models.data.steps.crops import EdgeCrop, RandomCrop, ShareCrop, ZoomCrop
from models.data.steps.light import ContrastBrightness, GaussianBlur, LightGradient
from models.data.steps.noise import GaussianNoise, SaltAndPepper, SomeNoise
from models.data.steps.shape import CopyPaste, Elastic
from models.data.steps.sizes import PadToSquare, Resize
from models.data.steps.step import Step, TrainingPair
from models.data.steps.turns import EitherFlip, HorizontalFlip, QuarterTurn, Rotation, VerticalFlip

AugmentationStep = Annotated[
    CleanMirror
    | ContrastBrightness
    | CopyPaste
    | EdgeCrop
    | EitherFlip
    | Elastic
    | GaussianBlur
    | GaussianNoise
    | HorizontalFlip
    | LightGradient
    | PadToSquare
    | QuarterTurn
    | RandomCrop
    | Resize
    | Rotation
    | SaltAndPepper
    | ShareCrop
    | SomeNoise
    | VerticalFlip
    | ZoomCrop,
    Field(discriminator="kind"),
]
"""Any step, told by its `kind`: what a field of a recipe is declared as."""

_PFANET_GREY = 115.0
"""Mean of the three channel means that PFANet subtracts."""

PUBLISHED_STEPS: dict[str, tuple[AugmentationStep, ...]] = {
    "edrnet": (Resize(), RandomCrop()),
    "cat-ednet": (Resize(), RandomCrop()),
    "basnet": (Resize(), RandomCrop(), HorizontalFlip()),
    "u2net": (
        Resize(size_px=320),
        VerticalFlip(probability=0.5),
        RandomCrop(size_px=288),
        HorizontalFlip(),
    ),
    "pfanet": (
        ShareCrop(),
        HorizontalFlip(),
        Rotation(),
        ContrastBrightness(),
        PadToSquare(grey_level=_PFANET_GREY),
        Resize(),
    ),
    "scfnet": (
        GaussianBlur(),
        ContrastBrightness(min_brightness=-15, max_brightness=14),
        ShareCrop(),
        HorizontalFlip(),
        VerticalFlip(),
    ),
    "csnet": (EdgeCrop(), EitherFlip(), Resize(size_px=224, mask="linear")),
}
"""What each paper does, in its order.

Flips stand for the mirrored copies that BASNet and U2-Net keep as files. KD-SCFNet's batches are resized as a
whole (`models.data.loading.MultiScale`). CAT-EDNet adds noisy copies, as `models.data.sources` makes them.
"""


def compose(steps: Sequence[Step]) -> Callable[[TrainingPair, Generator], TrainingPair]:
    """Return what applies the steps one after another."""

    def apply(pair: TrainingPair, generator: Generator) -> TrainingPair:
        for step in steps:
            pair = step.apply(pair, generator)
        return pair

    return apply
