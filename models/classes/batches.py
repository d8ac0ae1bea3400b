"""Batches of crops: which images, which of their findings, how augmented, all by seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from models.classes.crops import CROP_PX, Grey, Mask, Window, cut_crop, window_of
from models.classes.images import Finding, LabelledImage, findings_of
from models.classes.recipe import ClassRecipe
from models.data.seeding import Draw, generator_of
from models.data.steps import TrainingPair, compose
from models.errors import TrainingError

ZOOM = (0.8, 1.25)
"""Side of the square that is cut, over that of the line: scales differ between cameras."""

SHIFT = 0.1
"""Of the side: networks do not agree on where the middle of a finding is."""

MOST_SWOLLEN_PX = 3
"""Masks of networks are wider than drawn ones, by up to this."""


@dataclass(frozen=True)
class ClassBatch:
    """Crops (N, 2, S, S) uint8 and the indices of their classes (N,)."""

    crops: Tensor
    targets: Tensor


class ClassBatches:
    """Makes the batch of any step.

    Args:
        recipe: how classes are drawn and crops are augmented.
        images: of the training side.
    """

    def __init__(self, recipe: ClassRecipe, images: Sequence[LabelledImage]) -> None:
        self._recipe = recipe
        self._images = images
        self._targets = [recipe.classes.index(image.defect_class) for image in images]
        sizes = np.bincount(self._targets, minlength=len(recipe.classes))
        odds = np.array([sizes[target] ** -recipe.balance for target in self._targets], np.float64)
        self._odds = odds / odds.sum()
        self._augment = compose(recipe.augmentation)

    def batch(self, step: int) -> ClassBatch:
        """Return the batch of a step counted from 0.

        Raises:
            TrainingError: crops that augmentation leaves in another size than the network's.
        """
        order = generator_of(Draw.ORDER, self._recipe.seed, step)
        chosen = order.choice(len(self._images), self._recipe.batch, p=self._odds)
        crops = [
            self._crop(self._images[index], np.random.default_rng([self._recipe.seed, step, place]))
            for place, index in enumerate(chosen)
        ]
        targets = [self._targets[index] for index in chosen]
        return ClassBatch(torch.from_numpy(np.stack(crops)), torch.tensor(targets))

    def _crop(self, image: LabelledImage, generator: Generator) -> Grey:
        mask = image.masks[int(generator.integers(len(image.masks)))]
        finding = self._finding(_swollen(mask, generator), generator)
        window = window_of(finding.mask, finding.top, finding.left)
        moved = _moved(window, generator)
        grey, own = cut_crop(image.pixels, finding.mask, finding.top, finding.left, moved)
        pair = TrainingPair(grey.astype(np.float32), own.astype(np.float32) / np.float32(255))
        changed = self._augment(pair, generator)
        expected = (CROP_PX, CROP_PX)
        if changed.image.shape != expected:
            raise TrainingError(f"expected augmented crops {expected}, got {changed.image.shape}")
        planes = np.stack([changed.image, changed.mask * np.float32(255)])
        return np.clip(np.rint(planes), 0, 255).astype(np.uint8)

    def _finding(self, mask: Mask, generator: Generator) -> Finding:
        if generator.random() < self._recipe.whole_share:
            return Finding(mask if mask.any() else np.ones_like(mask), 0, 0)
        findings = findings_of(mask)
        areas = np.array([finding.mask.sum() for finding in findings], np.float64)
        return findings[int(generator.choice(len(findings), p=areas / areas.sum()))]


def _swollen(mask: Mask, generator: Generator) -> Mask:
    """A mask as drawn, or wider by a few pixels."""
    by_px = int(generator.integers(MOST_SWOLLEN_PX + 1))
    if not by_px:
        return mask
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), np.bool_)


def _moved(window: Window, generator: Generator) -> Window:
    zoom = float(np.exp(generator.uniform(*np.log(ZOOM))))
    side = max(8, round(window.side * zoom))
    down, right = generator.uniform(-SHIFT, SHIFT, 2) * side
    middle = window.side // 2
    return Window(
        window.top + middle + round(down) - side // 2, window.left + middle + round(right) - side // 2, side
    )
