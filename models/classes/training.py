"""Training of a classifier, seeded by step: a run that was cut off goes on as if it never had been."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.classes.batches import ClassBatches
from models.classes.calibration import (
    DECIMALS,
    Logits,
    Targets,
    calibration_error,
    choose_threshold,
    fit_temperature,
    is_named,
    probabilities,
    reliability,
)
from models.classes.crops import cut_crop, window_of
from models.classes.data import ClassData
from models.classes.images import LabelledImage, findings_of
from models.classes.network import NAME, ClassNetwork
from models.classes.recipe import ClassRecipe
from models.classes.weights import ClassifierInfo
from models.data.seeding import Draw, generator_of
from models.training.optimizers import AdamWSettings, make_optimizer, set_rate
from models.training.run import alone
from models.training.state import Progress, load_state, save_state, saved_progress
from models.weights.files import save_weights, weights_of
from models.weights.registry import SUFFIX

SAVE_EVERY = 50
"""Steps between two states: half a minute, which is what a kill costs at most."""

MAX_GRADIENT_NORM = 1.0

STEM_MODULES = 2
"""Convolution and normalisation before the encoder's first stage."""


@dataclass(frozen=True)
class ClassRun:
    """What a run is made of.

    Attributes:
        recipe: what to do.
        data: what to learn from.
        output: folder of state and weights; a run that was cut off goes on there.
        command: that makes the weights again, for their metadata.
    """

    recipe: ClassRecipe
    data: ClassData
    output: Path
    command: str

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.output / f"{self.recipe.name}{SUFFIX}"


def train_classes(run: ClassRun, progress: Callable[[int, float], None] | None = None) -> ClassifierInfo:
    """Train to the end, or to the end of what is left, calibrate, and write the weights.

    Args:
        run: what to train, from what, to where.
        progress: called with steps done and the loss after each.

    Returns:
        What the weights file says of itself.

    Raises:
        TrainingError: another training runs in the folder, or the state there is of another run.
    """
    with alone(run.output):
        trainer = ClassTrainer(run)
        trainer.train(progress)
        return export(trainer.average, run)


class ClassTrainer:
    """Trains one classifier by a recipe.

    Args:
        run: recipe, data and folder.
    """

    def __init__(self, run: ClassRun) -> None:
        recipe = run.recipe
        self._run = run
        torch.manual_seed(recipe.seed)
        self.network = ClassNetwork(len(recipe.classes), pretrained=True)
        self._frozen = self.network.encoder[
            : STEM_MODULES + recipe.frozen_stages if recipe.frozen_stages else 0
        ]
        self._frozen.requires_grad_(requires_grad=False)
        self.average = copy.deepcopy(self.network).requires_grad_(requires_grad=False).eval()
        self._optimizer = make_optimizer(
            self.network,
            AdamWSettings(),
            weight_decay=recipe.weight_decay,
            encoder_rate_factor=recipe.encoder_rate_factor,
        )
        self._batches = ClassBatches(recipe, run.data.train)
        expected = Progress(recipe=recipe.digest, data=run.data.digest)
        self.progress = saved_progress(run.output, expected) or expected
        load_state(run.output, self.network, self.average, self._optimizer)

    def train(self, progress: Callable[[int, float], None] | None = None) -> None:
        """Run the steps that are left."""
        recipe = self._run.recipe
        for step in range(self.progress.step, recipe.steps):
            loss = self._step(step)
            self.progress.step = step + 1
            if progress is not None:
                progress(self.progress.step, loss)
            if self.progress.step % SAVE_EVERY == 0 or self.progress.step == recipe.steps:
                save_state(self._run.output, self.network, self.average, self._optimizer, self.progress)

    def _step(self, step: int) -> float:
        recipe = self._run.recipe
        batch = self._batches.batch(step)
        set_rate(self._optimizer, recipe.rate(step))
        torch.manual_seed(int(generator_of(Draw.DROPOUT, recipe.seed, step).integers(2**63)))
        self.network.train()
        # Frozen normalisations keep ImageNet's statistics, or their weights would not fit them any more.
        self._frozen.eval()
        self._optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(
            self.network(batch.crops), batch.targets, label_smoothing=recipe.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._update_average(step)
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        # Early weights are poor company: the average looks back over at most a tenth of the steps so far.
        decay = min(self._run.recipe.ema_decay, 1 - 10 / (step + 10))
        current = self.network.state_dict()
        for name, tensor in self.average.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(current[name], 1 - decay)


def export(network: ClassNetwork, run: ClassRun) -> ClassifierInfo:
    """Calibrate a network on the validation images and write its weights file."""
    recipe, data = run.recipe, run.data
    logits, targets = validate(network, data.validation, recipe.classes)
    temperature = fit_temperature(logits, targets)
    shares = probabilities(logits, temperature)
    confidences, right = shares.max(axis=1), shares.argmax(axis=1) == targets
    threshold = choose_threshold(confidences, right, recipe.least_precision)
    named = is_named(confidences, threshold)
    metrics = {
        "validation accuracy": float(right.mean()),
        "validation share named": float(named.mean()),
        "validation accuracy of those named": float(right[named].mean()) if named.any() else 0.0,
        "validation calibration error": calibration_error(reliability(confidences, right)),
    }
    info = ClassifierInfo(
        network=NAME,
        width=1.0,
        version=f"{recipe.name}.{recipe.steps}",
        data=data.description,
        recipe=run.command,
        metrics={name: round(value, DECIMALS) for name, value in metrics.items()},
        classes=recipe.classes,
        temperature=temperature,
        least_confidence=threshold,
    )
    return save_weights(run.weights, weights_of(network, half=True), info)


def validate(
    network: ClassNetwork, images: Sequence[LabelledImage], classes: Sequence[str]
) -> tuple[Logits, Targets]:
    """Logits and true classes of the largest finding of each mask of each image."""
    crops: list[Tensor] = []
    targets: list[int] = []
    for image in images:
        for mask in image.masks:
            finding = findings_of(mask)[0]
            window = window_of(finding.mask, finding.top, finding.left)
            crop = cut_crop(image.pixels, finding.mask, finding.top, finding.left, window)
            crops.append(torch.from_numpy(crop))
            targets.append(classes.index(image.defect_class))
    with torch.inference_mode():
        logits = [network(crop[None]).numpy()[0] for crop in crops]
    return np.stack(logits).astype(np.float64), np.array(targets, np.int64)
