from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from models.segmenter import Segmenter
from models.training.taught import mean_over_turns, taught_samples
from models.training.trainer import Trainer
from tests.models.samples import patch_sample
from tests.models.training.runs import CPU, STEEL, phase_of, recipe_of

Pixels = NDArray[np.uint8]


class Echo(Segmenter):
    """Sees each image as it is, and remembers what it was shown."""

    def __init__(self) -> None:
        self.digest = "echo"
        self.seen: list[Pixels] = []

    def segment_image(self, image: Pixels) -> Pixels:
        self.seen.append(image)
        return image


class Leftmost(Echo):
    """Finds the first column, whatever the image shows."""

    def segment_image(self, image: Pixels) -> Pixels:
        found = np.zeros_like(image)
        found[:, 0] = 240
        return found


IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def test_all_eight_turns_are_seen_and_turned_back() -> None:
    teacher = Echo()
    assert np.array_equal(mean_over_turns(teacher, IMAGE), IMAGE)
    assert len({(turned.shape, turned.tobytes()) for turned in teacher.seen}) == 8


def test_what_is_seen_in_some_turns_alone_counts_by_their_share() -> None:
    # Each of the four borders is first in two turns; a corner belongs to two of them.
    expected = np.array([[120, 60, 60, 120], [60, 0, 0, 60], [120, 60, 60, 120]], np.uint8)
    assert np.array_equal(mean_over_turns(Leftmost(), IMAGE), expected)


def test_maps_take_the_place_of_masks_and_are_made_once(tmp_path: Path) -> None:
    samples = [patch_sample(f"{seed}", seed) for seed in range(3)]
    told: list[tuple[int, int]] = []
    taught = taught_samples(Leftmost(), samples, tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [sample.name for sample in taught] == ["0", "1", "2"]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(taught, samples, strict=True))
    assert all(int(sample.mask.max()) == 120 for sample in taught)

    again = Leftmost()
    kept = taught_samples(again, samples, tmp_path)
    assert again.seen == []
    assert all(np.array_equal(one.mask, other.mask) for one, other in zip(kept, taught, strict=True))


def test_another_teacher_makes_its_own(tmp_path: Path) -> None:
    samples = [patch_sample("0", 0)]
    first, second = (taught_samples(teacher, samples, tmp_path) for teacher in (Leftmost(), _other()))
    assert np.array_equal(second[0].mask, samples[0].image)
    assert not np.array_equal(first[0].mask, second[0].mask)


def _other() -> Echo:
    other = Echo()
    other.digest = "other"
    return other


def test_a_student_takes_its_teachers_word_for_masks(tmp_path: Path) -> None:
    recipe = recipe_of(phase_of(20, taught_share=1.0, peak_rate=3e-2, warmup_steps=0), ema_decay=0)
    shares: list[float] = []
    for level in (0, 255):
        marked = [replace(sample, mask=np.full_like(sample.mask, level)) for sample in STEEL.steel]
        data = replace(STEEL, unlabelled=marked, teacher="a teacher")
        trainer = Trainer(recipe, data, tmp_path / f"{level}", CPU)
        trainer.train()
        trainer.network.eval()
        with torch.no_grad():
            shares.append(float(trainer.network(torch.zeros(1, 3, 32, 32)).final.sigmoid().mean()))
    assert shares[1] > shares[0] + 0.2


def test_steel_that_nobody_marked_is_missed(tmp_path: Path) -> None:
    for data in (STEEL, replace(STEEL, unlabelled=STEEL.steel)):
        with pytest.raises(TrainingError, match="needs steel that a teacher marked, and none was given"):
            Trainer(recipe_of(phase_of(taught_share=0.5)), data, tmp_path, CPU)


@pytest.mark.parametrize("size", [(40, 40), (60, 300)])
def test_a_real_teacher_marks_images_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    teacher = Segmenter.open("csnet-x1")
    image = np.full(size, 140, np.uint8)
    image[10:30, 10:30] = 30
    saliency = mean_over_turns(teacher, image)
    assert saliency.shape == size
    assert saliency.dtype == np.uint8
    turned = mean_over_turns(teacher, np.ascontiguousarray(np.rot90(image)))
    assert np.abs(np.rot90(turned, -1).astype(int) - saliency).max() <= 1
