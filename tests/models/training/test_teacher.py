from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.errors import TrainingError, WeightsError
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.training.data import TrainingData
from models.training.teacher import Teacher, load_teacher
from models.training.trainer import Trainer
from tests.models.training.runs import CPU, STEEL, phase_of, recipe_of

DEVICE = torch.device("cpu")


class Constant(SaliencyNetwork):
    """Sees the same everywhere."""

    size_multiple = 1
    logit = 20.0

    def saliency(self, images: torch.Tensor) -> SaliencyOutputs:
        return SaliencyOutputs(torch.full_like(images[:, :1], self.logit))


class Nothing(Constant):
    """Sees nothing anywhere."""

    logit = -20.0


def test_maps_are_soft_and_of_the_images_size() -> None:
    teacher = load_teacher("csnet-x1", DEVICE)
    pixels = torch.full((2, 32, 48), 140.0)
    pixels[:, 8:20, 8:20] = 60
    maps = teacher.maps(pixels)
    assert maps.shape == (2, 1, 32, 48)
    assert not maps.requires_grad
    assert 0 <= maps.min() < maps.max() <= 1
    assert teacher.version.startswith("csnet")
    with pytest.raises(WeightsError, match="no weights wonder"):
        load_teacher("wonder", DEVICE)


def test_a_student_takes_its_teachers_word_for_masks(tmp_path: Path) -> None:
    data = TrainingData(STEEL.steel, STEEL.held_out_steel, unlabelled=STEEL.steel)
    recipe = recipe_of(phase_of(20, source="unlabelled", peak_rate=3e-2, warmup_steps=0), ema_decay=0)
    shares = {}
    for network in (Constant(1), Nothing(1)):
        teacher = Teacher(network, type(network).__name__, "1")
        trainer = Trainer(recipe, data, tmp_path / teacher.digest, CPU, teacher=teacher)
        trainer.train()
        trainer.network.eval()
        with torch.no_grad():
            shares[teacher.digest] = float(trainer.network(torch.zeros(1, 3, 32, 32)).final.sigmoid().mean())
    assert shares["Constant"] > shares["Nothing"] + 0.2


def test_a_teacher_and_what_it_looks_at_are_needed_together(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="needs a teacher and unlabelled steel"):
        Trainer(recipe_of(phase_of(source="unlabelled")), STEEL, tmp_path, CPU)
