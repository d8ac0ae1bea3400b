"""The training loop: seeded by step, so that a run that was cut off goes on as if it never had been."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from models.data.folders import Sample
from models.data.loading import SaliencyBatch, step_loader
from models.data.normalisation import normalisation
from models.data.seeding import Draw, generator_of
from models.errors import ModelsError, TrainingError
from models.losses import DynamicWeightDecay
from models.networks.outputs import SaliencyNetwork
from models.training.batches import Batches
from models.training.criterion import Criterion
from models.training.data import TrainingData
from models.training.devices import Execution
from models.training.optimizers import make_optimizer, set_rate
from models.training.pruning import prunable, pruned_network
from models.training.recipe import Phase, Recipe
from models.training.scoring import Scores, score_samples
from models.training.sharing import Member, PenalisedNetwork, shared_pass
from models.training.state import Progress, load_state, save_state, saved_progress
from models.training.structure import build_for
from models.training.watching import Standing, StepReport, Watcher

MAX_LOST_STEPS = 20
"""Steps in a row without a finite gradient after which a run has failed, not stumbled."""

SAVE_EVERY_S = 300.0
"""The state is saved at least this often between scorings: what a kill costs at most."""

_logger = logging.getLogger(__name__)


class Trainer:
    """Trains one network by a recipe.

    Args:
        recipe: what to do.
        data: what to learn from.
        folder: where the state lives; a run that was cut off goes on from there.
        execution: where and in which precision.
        loaders: processes that make batches ahead.
        member: of the processes that share the run.

    Raises:
        TrainingError: the recipe needs strip, frames or a teacher and there is none, asks for what the
            network does not have, or the state is not of this recipe and data.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        folder: Path,
        execution: Execution,
        *,
        loaders: int = 0,
        member: Member = Member(),  # noqa: B008 - frozen
    ) -> None:
        if recipe.needs_strip and not data.strip:
            raise TrainingError(f"recipe {recipe.name} needs tiles of simulated strip, and none were given")
        if recipe.needs_frames and not data.frames:
            raise TrainingError(f"recipe {recipe.name} needs frames of a line, and none were given")
        if recipe.needs_teacher and not (data.unlabelled and data.teacher):
            raise TrainingError(f"recipe {recipe.name} needs steel that a teacher marked, and none was given")
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self._execution = execution
        self._member = member
        self._loaders = loaders
        self._decay: DynamicWeightDecay | None = None
        begun = Progress(
            recipe=recipe.digest,
            data=data.digest,
            processes=member.count,
        )
        self.progress = saved_progress(folder, begun) or begun
        torch.manual_seed(recipe.seed)
        self._take(build_for(recipe, self.progress.channels))
        load_state(folder, self.network, self.average, self.optimizer)
        self._normalise = normalisation(recipe.normalisation)
        self._criteria = {phase: Criterion(phase.loss or recipe.loss) for phase in recipe.phases}
        if any(criterion.wants_penalty for criterion in self._criteria.values()):
            _check_penalty(self.network)
        self._batches = Batches(recipe, data, member)
        self._try_phases()
        self._saved_at = time.monotonic()

    def train(self, *watchers: Watcher) -> None:
        """Run the steps that are left.

        Args:
            watchers: told of what happens, in the first of the processes that share the run.

        Raises:
            TrainingError: gradients stay without finite values.
        """
        watching = watchers if self._member.is_first else ()
        for watcher in watching:
            watcher.on_start(self.progress.step)
        steps = range(self.progress.step, self.recipe.total_steps)
        loader = step_loader(self._batches, steps, workers=self._loaders, pinned=self._execution.on_gpu)
        for batch in loader:
            phase, step_in_phase = self.recipe.phase_at(self.progress.step)
            if step_in_phase == 0:
                self._begin(phase)
            loss = self._step(phase, step_in_phase, batch)
            self.progress.step += 1
            report = StepReport(
                self.progress.step, self.recipe.total_steps, phase.name, loss, phase.rate(step_in_phase)
            )
            for watcher in watching:
                watcher.on_step(report)
            if self._member.is_first:
                self._score_and_save(phase, step_in_phase, watching)

    def _take(self, network: SaliencyNetwork) -> None:
        """Train this network from now on."""
        recipe = self.recipe
        self.network = network.to(self._execution.device)
        if recipe.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(requires_grad=False).eval()
        self._pass = shared_pass(self.network, self._member, self._execution.device)
        # What pruning has left is fine-tuned without it.
        decays = recipe.dynamic_decay > 0 and not self.progress.channels
        self._decay = DynamicWeightDecay(self.network, recipe.dynamic_decay) if decays else None
        self.optimizer = make_optimizer(
            self.network,
            recipe.optimizer,
            weight_decay=recipe.weight_decay,
            decay_all=recipe.decayed == "all",
            encoder_rate_factor=recipe.encoder_rate_factor,
            undecayed=self._decay.gammas if self._decay else (),
        )

    @torch.no_grad()
    def _try_phases(self) -> None:
        """Find out what network and images cannot do now and not when a phase begins, hours later."""
        first = 0
        for phase in self.recipe.phases:
            try:
                # Seeded by its number: the phase meets the same batch again.
                self._batches[first]
                first += phase.steps
                if phase.prune is not None:
                    prunable(self.average)
                for side in sorted({*(phase.multi_scale_px or (phase.size_px,))}):
                    blank = torch.zeros(1, side, side, device=self._execution.device)
                    self._criteria[phase](self.average(self._images(blank)), blank[:, None])
            except ModelsError as error:
                raise TrainingError(f"recipe {self.recipe.name}, phase {phase.name}: {error}") from error

    def _begin(self, phase: Phase) -> None:
        # A later phase serves the recipe's aim better, even where its score starts lower.
        self.progress.best_score = -1.0
        if phase.prune is None:
            return
        first = self.progress.step
        steps = range(first, first + min(phase.steps, phase.prune.statistics_batches))
        images = (self._images(self._batches[step].images) for step in steps)
        pruned = pruned_network(self.average, phase.prune, images)
        self.progress.channels = str(pruned.channels)
        self._take(pruned)

    def _images(self, pixels: Tensor) -> Tensor:
        images = self._normalise(pixels.to(self._execution.device), self.network.in_channels)
        return images.contiguous(memory_format=torch.channels_last) if self.recipe.channels_last else images

    def _step(self, phase: Phase, step_in_phase: int, batch: SaliencyBatch) -> float:
        criterion = self._criteria[phase]
        criterion.set_progress(step_in_phase, phase.steps)
        set_rate(self.optimizer, phase.rate(step_in_phase))
        self._seed_dropout()
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        loss = self._loss(criterion, batch)
        (loss * self._execution.loss_scale).backward()  # type: ignore[no-untyped-call]
        finite = self._finite_gradient()
        if finite:
            self.progress.lost_steps = 0
            self.optimizer.step()
        else:
            self._lose_step(statistics)
        # Of a lost first step the average would else keep what it was before the phase.
        if finite or phase.average == "phase":
            self._update_average(phase, step_in_phase)
        return float(loss.detach())

    def _loss(self, criterion: Criterion, batch: SaliencyBatch) -> Tensor:
        device, low_precision = self._execution.device, self._execution.low_precision
        pixels, masks = (plane.to(device, non_blocking=True) for plane in (batch.images, batch.masks))
        images = self._images(pixels)
        with torch.autocast(device.type, low_precision, enabled=low_precision is not None):
            outputs, penalty = self._pass(images, with_penalty=criterion.wants_penalty)
        loss: Tensor = criterion(outputs, masks, penalty)
        return loss if self._decay is None else loss + self._decay.penalty()

    def _seed_dropout(self) -> None:
        stream = generator_of(Draw.DROPOUT, self.recipe.seed, self.progress.step, self._member.rank)
        torch.manual_seed(int(stream.integers(2**63)))

    def _finite_gradient(self) -> bool:
        parameters = [parameter for parameter in self.network.parameters() if parameter.grad is not None]
        if self._execution.loss_scale != 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad /= self._execution.loss_scale
        norm = nn.utils.clip_grad_norm_(parameters, self.recipe.max_gradient_norm)
        return bool(torch.isfinite(norm))

    def _lose_step(self, statistics: Sequence[Tensor]) -> None:
        # Its forward pass has moved the running statistics, perhaps to what no later step brings back.
        for buffer, before in zip(self.network.buffers(), statistics, strict=True):
            buffer.copy_(before)
        self.progress.lost_steps += 1
        _logger.warning("step %d has no finite gradient and is left out", self.progress.step + 1)
        if self.progress.lost_steps >= MAX_LOST_STEPS:
            raise TrainingError(f"{MAX_LOST_STEPS} steps in a row had no finite gradient")

    @torch.no_grad()
    def _update_average(self, phase: Phase, step_in_phase: int) -> None:
        if phase.average == "phase":
            decay = 1 - 1 / (step_in_phase + 1)
        else:
            # Early weights are poor company: the average looks back over at most a tenth of the steps so far.
            decay = min(self.recipe.ema_decay, 1 - 10 / (self.progress.step + 10))
        current = self.network.state_dict()
        for name, tensor in self.average.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(current[name], 1 - decay)

    def _score_and_save(self, phase: Phase, step_in_phase: int, watching: tuple[Watcher, ...]) -> None:
        ends = step_in_phase + 1 == phase.steps
        scores_now = ends or self.progress.step % self.recipe.score_every == 0
        if scores_now:
            self._score(phase, watching, chooses=ends or not phase.all_steel)
        if scores_now or time.monotonic() - self._saved_at > SAVE_EVERY_S:
            save_state(self.folder, self.network, self.average, self.optimizer, self.progress)
            self._saved_at = time.monotonic()

    def _score(self, phase: Phase, watching: tuple[Watcher, ...], *, chooses: bool) -> None:
        strip, frames = (
            self._scores(samples) if samples else None
            for samples in (self.data.held_out_strip, self.data.held_out_frames)
        )
        steel = self._scores(self.data.held_out_steel)
        standing = Standing(self.progress.step, phase.name, steel, strip, frames, seen=phase.all_steel)
        if chooses and standing.score > self.progress.best_score:
            self.progress.best_score = standing.score
            standing = replace(standing, is_best=True)
        for watcher in watching:
            watcher.on_score(standing, self.average)

    def _scores(self, samples: Sequence[Sample]) -> Scores:
        return score_samples(
            self.average, samples, self._normalise, self._execution.device, self.recipe.sharpness
        )


def _check_penalty(network: nn.Module) -> None:
    if not isinstance(network, PenalisedNetwork):
        raise TrainingError(
            f"attention_penalty: {type(network).__name__} has no channel attention to penalise"
        )
