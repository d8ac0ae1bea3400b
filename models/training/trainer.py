"""The training loop: seeded by step, so that a run that was cut off goes on as if it never had been."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW

from models.data.augmentation import Augmentation
from models.data.folders import Sample
from models.data.steps import TrainingPair, compose
from models.errors import TrainingError
from models.losses import HybridLoss
from models.networks.build import build
from models.networks.normalisation import network_input
from models.networks.outputs import SaliencyOutputs
from models.training.recipe import Phase, Recipe
from models.training.scoring import Scores, score_samples
from models.training.state import Progress, load_state, save_state

MAX_LOST_STEPS = 20
"""Steps in a row without a finite gradient after which a run has failed, not stumbled."""

LOG_EVERY = 20

STRIP_ZOOM = (0.85, 1.2)
"""Scales of strip tiles: in use their pixels have the size that the line description says, or nearly."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Samples to train on and to choose by, real steel and simulated strip apart."""

    steel: Sequence[Sample]
    held_out_steel: Sequence[Sample]
    strip: Sequence[Sample] = ()
    held_out_strip: Sequence[Sample] = ()


@dataclass(frozen=True)
class Standing:
    """What the averaged weights reach after a step."""

    step: int
    steel: Scores
    strip: Scores | None

    @property
    def score(self) -> float:
        """Mean overlap on steel and strip, less what is seen where nothing is."""
        if self.strip is None:
            return self.steel.iou
        return (self.steel.iou + self.strip.iou) / 2 - self.strip.clean_false_share


class Trainer:
    """Trains one network by a recipe.

    Args:
        recipe: what to do.
        data: what to learn from.
        folder: where the state lives; a run that was cut off goes on from there.

    Raises:
        TrainingError: the recipe needs strip and there is none, or the state is not this recipe's.
    """

    def __init__(self, recipe: Recipe, data: TrainingData, folder: Path) -> None:
        if recipe.needs_strip and not data.strip:
            raise TrainingError(f"recipe {recipe.name} needs tiles of simulated strip, and none were given")
        self.recipe = recipe
        self.data = data
        self.folder = folder
        torch.manual_seed(recipe.seed)
        self.network = build(recipe.network, width=recipe.width, **recipe.knobs)
        self.average = copy.deepcopy(self.network).requires_grad_(requires_grad=False).eval()
        if recipe.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.optimizer = _make_optimizer(self.network, recipe.weight_decay, recipe.encoder_rate_factor)
        self.losses = [
            HybridLoss(term.bce, term.ssim, term.iou, map_weights=term.map_weights) for term in recipe.loss
        ]
        self.progress = self._resume()
        self._lost_steps = 0

    def train(self, on_best: Callable[[nn.Module, Standing], None]) -> None:
        """Run the steps that are left.

        Args:
            on_best: called with the averaged network whenever it scores better than ever in its phase.

        Raises:
            TrainingError: gradients stay without finite values.
        """
        while self.progress.step < self.recipe.total_steps:
            phase, step_in_phase = self.recipe.phase_at(self.progress.step)
            if step_in_phase == 0:
                # A later phase serves the recipe's aim better, even where its score starts lower.
                self.progress.best_score = -1.0
            loss = self._step(phase, step_in_phase)
            self.progress.step += 1
            if self.progress.step % LOG_EVERY == 0:
                _logger.info("step %d (%s): loss %.4f", self.progress.step, phase.name, loss)
            phase_ends = step_in_phase + 1 == phase.steps
            if phase_ends or self.progress.step % self.recipe.score_every == 0:
                self._score(on_best)
                save_state(self.folder, self.network, self.average, self.optimizer, self.progress)

    def _resume(self) -> Progress:
        progress = load_state(self.folder, self.network, self.average, self.optimizer)
        if progress is None:
            return Progress(seed=self.recipe.seed)
        if progress.seed != self.recipe.seed:
            raise TrainingError(
                f"state in {self.folder} is of seed {progress.seed}, the recipe of {self.recipe.seed}"
            )
        _logger.info("going on after step %d", progress.step)
        return progress

    def _step(self, phase: Phase, step_in_phase: int) -> float:
        images, masks = self._batch(phase)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(phase, step_in_phase) * group["rate_factor"]
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            outputs: SaliencyOutputs = self.network(self._input(images))
        loss = torch.stack([loss(outputs, masks) for loss in self.losses]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient_norm)
        if torch.isfinite(norm):
            self._lost_steps = 0
            self.optimizer.step()
            self._update_average()
        else:
            self._lose_step()
        return float(loss.detach())

    def _input(self, images: Tensor) -> Tensor:
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return network_input(images, self.network.in_channels).contiguous(memory_format=layout)

    def _lose_step(self) -> None:
        self._lost_steps += 1
        _logger.warning("step %d has no finite gradient and is left out", self.progress.step + 1)
        if self._lost_steps >= MAX_LOST_STEPS:
            raise TrainingError(f"{MAX_LOST_STEPS} steps in a row had no finite gradient")

    def _batch(self, phase: Phase) -> tuple[Tensor, Tensor]:
        generator = np.random.default_rng([self.recipe.seed, self.progress.step])
        from_strip = round(phase.batch * phase.strip_share)
        steel = Augmentation(phase.size_px, phase.min_zoom, phase.max_zoom, phase.defect_share)
        strip = Augmentation(phase.size_px, *STRIP_ZOOM, phase.defect_share)
        pairs = [
            self._steel_pair(phase, _draw(self.data.steel, generator), steel, generator)
            for _ in range(phase.batch - from_strip)
        ]
        pairs += [strip.apply(_draw(self.data.strip, generator), generator) for _ in range(from_strip)]
        images = np.stack([image for image, _ in pairs])
        masks = np.stack([mask for _, mask in pairs])[:, None]
        return torch.from_numpy(images), torch.from_numpy(masks)

    @staticmethod
    def _steel_pair(
        phase: Phase, sample: Sample, ours: Augmentation, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if not phase.augmentation:
            return ours.apply(sample, generator)
        image, mask = compose(phase.augmentation)(TrainingPair.of(sample), generator)
        if image.shape != (phase.size_px, phase.size_px):
            expected = (phase.size_px, phase.size_px)
            raise TrainingError(
                f"phase {phase.name}: expected augmented images {expected}, got {image.shape}"
            )
        return image, mask

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early weights are poor company: the average looks back over at most a tenth of the steps so far.
        decay = min(self.recipe.ema_decay, 1 - 10 / (self.progress.step + 10))
        current = self.network.state_dict()
        for name, tensor in self.average.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(current[name], 1 - decay)

    def _score(self, on_best: Callable[[nn.Module, Standing], None]) -> None:
        strip = score_samples(self.average, self.data.held_out_strip) if self.data.held_out_strip else None
        standing = Standing(self.progress.step, score_samples(self.average, self.data.held_out_steel), strip)
        _logger.info(
            "step %d: score %.4f %s %s", standing.step, standing.score, standing.steel, standing.strip
        )
        if standing.score > self.progress.best_score:
            self.progress.best_score = standing.score
            on_best(self.average, standing)


def _draw(samples: Sequence[Sample], generator: np.random.Generator) -> Sample:
    return samples[int(generator.integers(len(samples)))]


def learning_rate(phase: Phase, step_in_phase: int) -> float:
    """Return the rate of a step: a linear rise, then half a cosine down to zero."""
    if step_in_phase < phase.warmup_steps:
        return phase.peak_rate * (step_in_phase + 1) / phase.warmup_steps
    share = (step_in_phase - phase.warmup_steps) / max(1, phase.steps - phase.warmup_steps)
    return phase.peak_rate * 0.5 * (1 + math.cos(math.pi * share))


def _make_optimizer(network: nn.Module, weight_decay: float, encoder_rate_factor: float) -> AdamW:
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((parameter.ndim > 1, name.startswith("backbone.")), []).append(parameter)
    return AdamW(
        [
            {
                "params": parameters,
                "weight_decay": weight_decay if decayed else 0.0,
                "rate_factor": encoder_rate_factor if of_encoder else 1.0,
            }
            for (decayed, of_encoder), parameters in groups.items()
        ]
    )
