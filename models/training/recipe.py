"""Recipes: everything that decides a training run, in one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from models.data.normalisation import NORMALISATIONS
from models.data.steps import AugmentationStep, TurningStep
from models.errors import RecipeError
from models.networks.build import NETWORKS
from models.training.criterion import HybridTerm, Losses
from models.training.optimizers import AdamWSettings, OptimizerSettings
from models.training.record import Count, Positive, Record, Seed, Share, settings_digest
from models.training.schedules import CosineSchedule, Schedule
from models.weights import available
from models.weights.files import MAX_SHARPNESS, MAX_WIDTH, Knob, Knobs

SHIPPED = Path(__file__).parent.parent / "recipes"
SUFFIX = ".toml"
STATE_NAME = "state"
"""Of the file that a run goes on from, beside its weights."""

Kind = TypeVar("Kind", bound=Record)


def _known_network(name: str) -> str:
    if name not in NETWORKS:
        raise ValueError(f"expected one of {', '.join(NETWORKS)}, got {name}")
    return name


def _shipped_weights(name: str | None) -> str | None:
    if name is not None and name not in available():
        raise ValueError(f"expected one of {', '.join(available())}, got {name}")
    return name


def _known_normalisation(name: str) -> str:
    if name not in NORMALISATIONS:
        raise ValueError(f"expected one of {', '.join(NORMALISATIONS)}, got {name}")
    return name


def _not_the_state(name: str) -> str:
    if name == STATE_NAME:
        raise ValueError(f"expected another name than {name}: a run keeps its state under it")
    return name


RunName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$"), AfterValidator(_not_the_state)]
"""Of a recipe and of the weights file that it leaves."""


class Pruning(Record):
    """What a phase takes away before its first step, of a CSNet alone.

    Attributes:
        threshold: channels go whose scale is below it; the paper's is 1e-20, after a far longer training.
        parameters: where more are left, the weakest channels go until no more than these are.
        statistics_batches: that the running statistics are made from anew, before the first step.
    """

    threshold: float = Field(default=1e-20, ge=0)
    parameters: Positive | None = None
    statistics_batches: Positive = 50


class GateCalibration(Record):
    """How the threshold of a gate is fixed on the held-out samples.

    Attributes:
        clean_share: of the clean ones, that it lets through.
        missed_share: of the defective ones, at most, that it holds back; more clean ones pass instead.
    """

    clean_share: Share = 0.1
    missed_share: Share = 0.0


class Phase(Record):
    """One stretch of training with its own learning-rate cycle.

    Attributes:
        name: for the log.
        steps: optimiser steps.
        size_px: side of the square crops; a multiple of the network's size multiple.
        batch: images a step.
        peak_rate: highest learning rate; rises over `warmup_steps`, then follows the schedule.
        warmup_steps: of a linear rise.
        warmup_first_share: of the peak rate, from where it rises.
        schedule: from the peak on.
        strip_share: share of the batch that is tiles of simulated strip.
        frames_share: share of the batch that is crops from anywhere in frames of a line, clean or not.
        min_zoom: smallest scale of a crop of the steel images.
        max_zoom: largest such scale.
        defect_share: share of crops that are sure to show a defect.
        upright: neither turned nor mirrored, as strip runs through a camera's frames: what we crop ourselves,
            and no step of `augmentation` may do it. A teacher's maps are means over turns all the same.
        augmentation: steps for the steel images instead of zoom and defect share, as a paper names them; what
            comes out has a side of `size_px`.
        multi_scale_px: sides to one of which each batch is resized, drawn anew; `size_px` then says nothing.
        order: of images with masks: "drawn" takes any at any time, "epochs" each once before any comes again.
        taught_share: share of the batch that is unlabelled steel with a teacher's maps, soft, in the place of
            masks, as in KD-SCFNet; each is the mean over the eight turns of its image.
        loss: instead of the recipe's.
        average: of weights, that is scored and exported: "recent" ones by the recipe's `ema_decay`, or all of
            the "phase" alike, as in stochastic weight averaging, for a rate that stays high (Izmailov et al.,
            UAI 2018; each step as in Cha et al., "SWAD", NeurIPS 2021).
        all_steel: what is held out trains, too, and in every later phase; nothing is left to choose by,
            so the end counts.
        prune: takes channels away first; from here on nothing decays by activity.
    """

    name: str
    steps: Positive
    size_px: Positive
    batch: Positive = 8
    peak_rate: float = Field(gt=0)
    warmup_steps: Count = 50
    warmup_first_share: Share = 0.0
    schedule: Schedule = CosineSchedule()
    strip_share: Share = 0.0
    frames_share: Share = 0.0
    min_zoom: float = Field(default=0.8, gt=0)
    max_zoom: float = Field(default=1.6, gt=0)
    defect_share: Share = 0.0
    upright: bool = False
    augmentation: tuple[AugmentationStep, ...] = ()
    multi_scale_px: tuple[Positive, ...] = ()
    order: Literal["drawn", "epochs"] = "drawn"
    taught_share: Share = 0.0
    loss: Losses = ()
    average: Literal["recent", "phase"] = "recent"
    all_steel: bool = False
    prune: Pruning | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_zoom > self.max_zoom:
            raise ValueError(f"expected min_zoom up to max_zoom, got {self.min_zoom} and {self.max_zoom}")
        turning = [step.kind for step in self.augmentation if isinstance(step, TurningStep)]
        if self.upright and turning:
            raise ValueError(f"upright: expected no step that turns or mirrors, got {', '.join(turning)}")
        shares = {
            "strip_share": self.strip_share,
            "taught_share": self.taught_share,
            "frames_share": self.frames_share,
        }
        for setting, share in shares.items():
            if share and not round(share * self.batch):
                raise ValueError(f"{setting}: {share} of a batch of {self.batch} rounds to no image")
        if self.parts[0] < 0:
            raise ValueError(
                f"expected {', '.join(shares)} of at most 1 together, "
                f"got {', '.join(str(share) for share in shares.values())} of a batch of {self.batch}"
            )
        return self

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Images of a batch: steel, steel marked by a teacher, crops of frames, simulated strip."""
        shares = (self.taught_share, self.frames_share, self.strip_share)
        taught, frames, strip = (round(share * self.batch) for share in shares)
        return self.batch - taught - frames - strip, taught, frames, strip

    def rate(self, step: int) -> float:
        """Return the learning rate of a step of this phase, counted from 0."""
        if step < self.warmup_steps:
            first = self.warmup_first_share
            return self.peak_rate * (first + (1 - first) * (step + 1) / self.warmup_steps)
        return self.peak_rate * self.schedule.share(step - self.warmup_steps, self.steps - self.warmup_steps)


class Recipe(Record):
    """A whole training run.

    Attributes:
        name: goes into the weights' metadata.
        network: one of `models.networks.build.NETWORKS`.
        width: its width factor.
        knobs: of that network, over those of its name.
        start: shipped weights of that network that training goes on from; what is held out may have trained
            them, so that nothing is left to choose by.
        seed: of initial weights, batches and augmentation.
        held_out_share: share of every class that only chooses, never trains.
        held_out: which ones: "scattered" all over a class, or "blocks" at the ends of its stretches of
            consecutive numbers, where neighbours by number show the same steel.
        fold: hold out this one of `folds` parts instead of a share, scattered or in blocks likewise.
        folds: equal parts of every class; cross-validation trains once for each.
        strip_tiles: of simulated strip that are written where no folder of it is named. Eight make a coil;
            200 coils are more than a run learns by heart.
        held_out_strip_tiles: the last so many strip tiles choose; neighbours share a coil, so a block is cut.
        held_out_frames_share: of the frames of a line, that never train: their tiles are scored.
        noisy_copies: share of every class that is there once more under noise, as in CAT-EDNet.
        normalisation: one of `models.data.normalisation.NORMALISATIONS`; inspection knows "steel" alone.
        optimizer: the algorithm.
        weight_decay: decoupled in AdamW, added to the gradient elsewhere.
        decayed: "weights" of more than one dimension, or "all" parameters.
        dynamic_decay: strength of CSNet's dynamic weight decay; 0 is none.
        encoder_rate_factor: on the rate of the encoder, below 1 where that came pretrained.
        max_gradient_norm: gradients are scaled down to this; inf leaves them.
        ema_decay: of the average of weights that is scored and exported; 0 takes the weights as they are.
        score_every: steps between scorings on the held-out samples.
        bfloat16: run convolutions in bfloat16 where that is safe; on a GPU without it, in float16.
        channels_last: lay images out as (N, H, W, C) in memory, which processors convolve faster in float32;
            bfloat16 is tried without it alone.
        half_precision: of the weights file; half the size, and maps a grey level or so off.
        loss: what is minimised.
        sharpness: factor on the final logits in use: losses leave the rims of coarse masks half sure.
        gate: the weights are to be a gate, and get a threshold.
        phases: one after another.
    """

    name: RunName
    network: Annotated[str, AfterValidator(_known_network)]
    width: float = Field(default=1.0, gt=0, le=MAX_WIDTH)
    knobs: Knobs = Field(default_factory=dict)
    start: Annotated[str | None, AfterValidator(_shipped_weights)] = None
    seed: Seed = 7
    held_out_share: Share = 0.11
    held_out: Literal["scattered", "blocks"] = "scattered"
    fold: Count | None = None
    folds: int = Field(default=5, ge=2)
    strip_tiles: Positive = 1_600
    held_out_strip_tiles: Positive = 96
    held_out_frames_share: Share = 0.25
    noisy_copies: Share = 0.0
    normalisation: Annotated[str, AfterValidator(_known_normalisation)] = "steel"
    optimizer: OptimizerSettings = AdamWSettings()
    weight_decay: float = Field(default=1e-4, ge=0)
    decayed: Literal["weights", "all"] = "weights"
    dynamic_decay: float = Field(default=0.0, ge=0)
    encoder_rate_factor: float = Field(default=1.0, gt=0)
    max_gradient_norm: float = Field(default=1.0, gt=0, allow_inf_nan=True)
    ema_decay: Share = 0.995
    score_every: Positive = 200
    bfloat16: bool = True
    channels_last: bool = False
    half_precision: bool = False
    loss: Losses = (HybridTerm(),)
    sharpness: float = Field(default=1.0, gt=0, le=MAX_SHARPNESS)
    gate: GateCalibration | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"fold: expected 0 to {self.folds - 1}, got {self.fold}")
        seen = [phase.all_steel for phase in self.phases]
        if any(seen) and (self.fold is not None or self.gate):
            raise ValueError("all_steel: expected held-out steel for a fold or a gate's threshold, got none")
        if seen != sorted(seen):
            raise ValueError("all_steel: expected it of every phase behind the first that has it")
        if self.start is not None and not all(seen):
            raise ValueError(
                "start: expected all_steel of every phase, as held-out steel may have trained it"
            )
        if not self.loss:
            raise ValueError("loss: expected at least one")
        if self.gate and self.sharpness != 1:
            raise ValueError("sharpness: a gate has a threshold and no maps, expected none or 1")
        return self

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

    @property
    def needs_frames(self) -> bool:
        """Whether any phase trains on frames of a line."""
        return any(phase.frames_share for phase in self.phases)

    @property
    def needs_teacher(self) -> bool:
        """Whether any phase learns from a teacher's maps of unlabelled steel."""
        return any(phase.taught_share for phase in self.phases)

    @property
    def prunes(self) -> bool:
        """Whether any phase takes channels away."""
        return any(phase.prune for phase in self.phases)

    @property
    def digest(self) -> str:
        """Of the settings: a run goes on with the recipe that it began with."""
        return settings_digest(self)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """Return the phase of a step counted from 0, and the step inside that phase."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise IndexError(f"recipe {self.name} has {self.total_steps} steps")


def shipped_recipes(folder: Path = SHIPPED) -> list[str]:
    """Return the names of the recipes that ship in a folder, sorted."""
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))


def find_recipe(recipe: str, shipped: Path = SHIPPED) -> Path:
    """Return the file of a shipped recipe's name, or the path itself.

    Args:
        recipe: name or path.
        shipped: folder of those that ship.

    Raises:
        RecipeError: neither a shipped name nor a TOML file.
    """
    names = shipped_recipes(shipped)
    if recipe in names:
        return shipped / f"{recipe}{SUFFIX}"
    path = Path(recipe)
    if path.suffix != SUFFIX or not path.is_file():
        listed = ", ".join(names)
        raise RecipeError(f"no recipe {recipe}: expected a TOML file or one of the shipped names ({listed})")
    return path


def load_recipe(path: Path, **instead: object) -> Recipe:
    """Read a recipe of a segmentation network.

    Args:
        path: TOML file.
        instead: settings that count instead of those of the file; None leaves the file's.

    Raises:
        RecipeError: the file is missing, is not TOML, or names an unknown or wrong setting.
    """
    return parse_recipe(Recipe, path, **instead)


def parse_recipe(kind: type[Kind], path: Path, **instead: object) -> Kind:
    """Read a recipe of any kind; arguments and errors as of `load_recipe`."""
    try:
        settings: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return kind.model_validate(
            {**settings, **{name: value for name, value in instead.items() if value is not None}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        message = f"{where}: {text}" if where else text
        raise RecipeError(f"recipe {path}: {message}{_what_came(first)}") from error
    # Beside broken TOML: no UTF-8, a number of thousands of digits, or a thousand brackets in brackets.
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"cannot read recipe {path}: {error}") from error


def _what_came(error: ErrorDetails) -> str:
    """The value itself where it is one, and the message does not say it anyway."""
    value = error["input"]
    said = error["type"] in {"value_error", "missing", "extra_forbidden"}
    if said or isinstance(value, dict | list | tuple):
        return ""
    try:
        return f", got {value!r}"
    except ValueError:
        # Python writes out no integer of so many digits.
        return ", got a number of thousands of digits"
