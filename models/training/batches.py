"""The batch of a step: a function of recipe, data and step, so that a run that was cut off meets it again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.random import Generator
from torch.utils.data import Dataset

from models.data.augmentation import Augmentation
from models.data.folders import Sample
from models.data.loading import MultiScale, SaliencyBatch, SaliencyItem, collate
from models.data.seeding import Draw, generator_of
from models.data.steps import TrainingPair, compose
from models.errors import TrainingError
from models.training.data import TrainingData
from models.training.recipe import Phase, Recipe
from models.training.sharing import Member

STRIP_ZOOM = (0.85, 1.2)
"""Scales of strip tiles: in use their pixels have the size that the line description says, or nearly."""

FRAMES_ZOOM = (1.0, STRIP_ZOOM[1])
"""Of frames, which are often no higher than a tile."""


class Batches(Dataset[SaliencyBatch]):
    """Batches by the number of their step, counted from 0 over all phases.

    Args:
        recipe: which samples, and how they are augmented.
        data: the samples.
        member: takes its part of every batch.

    Raises:
        TrainingError: a batch that does not part evenly.
    """

    def __init__(self, recipe: Recipe, data: TrainingData, member: Member) -> None:
        self._recipe = recipe
        self._data = data
        self._member = member
        for phase in recipe.phases:
            if phase.batch % member.count:
                raise TrainingError(
                    f"phase {phase.name}: {member.count} processes cannot share {phase.batch} images evenly"
                )

    def __getitem__(self, step: int) -> SaliencyBatch:
        phase, step_in_phase = self._recipe.phase_at(step)
        generator = self._generator(step)
        own, taught, from_frames, _ = phase.parts
        ours = partial(Augmentation, phase.size_px, upright=phase.upright)
        steel = ours(phase.min_zoom, phase.max_zoom, phase.defect_share)
        strip = ours(*STRIP_ZOOM, phase.defect_share)
        frames = ours(*FRAMES_ZOOM)
        items: list[SaliencyItem] = []
        for place in range(self._member.rank, phase.batch, self._member.count):
            if place < own:
                sample = self._sample(phase, step_in_phase * own + place, generator)
                items.append(_steel_item(phase, sample, steel, generator))
            elif place < own + taught:
                sample = _drawn(self._data.unlabelled, generator)
                items.append(_steel_item(phase, sample, steel, generator))
            elif place < own + taught + from_frames:
                sample = _drawn(self._data.frames, generator)
                items.append(_item(TrainingPair(*frames.apply(sample, generator)), sample.name))
            else:
                sample = _drawn(self._data.strip, generator)
                items.append(_item(TrainingPair(*strip.apply(sample, generator)), sample.name))
        if phase.multi_scale_px:
            return MultiScale(phase.multi_scale_px, seed=self._recipe.seed).batch(items, step)
        return collate(items)

    def _generator(self, step: int) -> Generator:
        numbers = [self._recipe.seed, step]
        return np.random.default_rng([*numbers, self._member.rank] if self._member.rank else numbers)

    def _sample(self, phase: Phase, slot: int, generator: Generator) -> Sample:
        samples = self._data.all_steel() if phase.all_steel else self._data.steel
        if phase.order == "drawn":
            return _drawn(samples, generator)
        epoch, place = divmod(slot, len(samples))
        order = generator_of(Draw.ORDER, self._recipe.seed, epoch).permutation(len(samples))
        return samples[int(order[place])]


def _steel_item(phase: Phase, sample: Sample, ours: Augmentation, generator: Generator) -> SaliencyItem:
    if not phase.augmentation:
        return _item(TrainingPair(*ours.apply(sample, generator)), sample.name)
    pair = compose(phase.augmentation)(TrainingPair.of(sample), generator)
    expected = (phase.size_px, phase.size_px)
    if pair.image.shape != expected and not phase.multi_scale_px:
        raise TrainingError(f"expected augmented images {expected}, got {pair.image.shape}")
    return _item(pair, sample.name)


def _item(pair: TrainingPair, name: str) -> SaliencyItem:
    image, mask = (torch.from_numpy(np.ascontiguousarray(plane)) for plane in pair)
    return SaliencyItem(image, mask.unsqueeze(0), name)


def _drawn(samples: Sequence[Sample], generator: Generator) -> Sample:
    return samples[int(generator.integers(len(samples)))]
