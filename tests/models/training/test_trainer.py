from pathlib import Path

import pytest
import torch
from torch import nn

from models.errors import TrainingError
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.training import trainer as trainer_module
from models.training.recipe import Phase, Recipe
from models.training.scoring import score_samples
from models.training.state import STATE_FILE
from models.training.trainer import Standing, Trainer, TrainingData, learning_rate
from models.weights.files import weights_of
from tests.models.samples import clean_sample, patch_sample

DATA = TrainingData(
    steel=[patch_sample(f"Pa_{seed}", seed) for seed in range(6)],
    held_out_steel=[patch_sample("Pa_90", 90)],
    strip=[patch_sample("0", 20), clean_sample("1", 21)],
    held_out_strip=[patch_sample("2", 22), clean_sample("3", 23)],
)


def recipe_of(*steps: int, rate: float = 2e-3, **settings: object) -> Recipe:
    phases = tuple(
        Phase(
            name=str(index),
            steps=count,
            size_px=32,
            batch=4,
            peak_rate=rate,
            warmup_steps=2,
            strip_share=0.5 * (index % 2),
        )
        for index, count in enumerate(steps)
    )
    return Recipe.model_validate(
        {
            "name": "test",
            "network": "csnet-x1",
            "phases": phases,
            "bfloat16": False,
            "score_every": 100,
            **settings,
        }
    )


def ignore(network: nn.Module, standing: Standing) -> None:
    pass


def test_a_run_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path) -> None:
    recipe = recipe_of(2, 2)
    whole = Trainer(recipe, DATA, tmp_path / "whole")
    whole.train(ignore)

    class CutOffError(Exception):
        pass

    def cut_off(network: nn.Module, standing: Standing) -> None:
        if standing.step == 4:
            raise CutOffError

    cut = Trainer(recipe, DATA, tmp_path / "cut")
    with pytest.raises(CutOffError):
        cut.train(cut_off)
    assert cut.progress.step == 4
    resumed = Trainer(recipe, DATA, tmp_path / "cut")
    assert resumed.progress.step == 2
    resumed.train(ignore)
    for kind in ("network", "average"):
        expected, found = weights_of(getattr(whole, kind)), weights_of(getattr(resumed, kind))
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trainer = Trainer(recipe_of(60, rate=5e-3), DATA, tmp_path)
    phase = trainer.recipe.phases[0]
    losses: list[float] = []
    for step in range(24):
        losses.append(trainer._step(phase, step))
        trainer.progress.step += 1
    assert sum(losses[-6:]) < 0.85 * sum(losses[:6])


def test_the_best_average_of_each_phase_is_handed_out(tmp_path: Path) -> None:
    standings: list[Standing] = []
    trainer = Trainer(recipe_of(2, 2), DATA, tmp_path)
    trainer.train(lambda _, standing: standings.append(standing))
    assert [standing.step for standing in standings] == [2, 4]
    assert standings[0].strip is not None
    assert all(-1 <= standing.score <= 1 for standing in standings)


def test_a_recipe_with_strip_needs_strip(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="strip"):
        Trainer(recipe_of(1, 1), TrainingData(DATA.steel, DATA.held_out_steel), tmp_path)


def test_a_state_of_another_seed_is_refused(tmp_path: Path) -> None:
    Trainer(recipe_of(1), DATA, tmp_path).train(ignore)
    with pytest.raises(TrainingError, match="seed"):
        Trainer(recipe_of(1, seed=8), DATA, tmp_path)


@pytest.mark.parametrize("kept_bytes", [0, 100, 100_000])
def test_a_damaged_state_is_refused(tmp_path: Path, kept_bytes: int) -> None:
    Trainer(recipe_of(1), DATA, tmp_path).train(ignore)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(TrainingError, match="cannot go on"):
        Trainer(recipe_of(1), DATA, tmp_path)


def test_steps_without_a_finite_gradient_change_nothing_and_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "MAX_LOST_STEPS", 3)
    trainer = Trainer(recipe_of(10), DATA, tmp_path)
    before = {name: tensor.clone() for name, tensor in trainer.average.state_dict().items()}
    trainer.losses[0].bce = float("nan")
    with pytest.raises(TrainingError, match="finite"):
        trainer.train(ignore)
    assert trainer.progress.step == 2
    after = trainer.average.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    phase = Phase(name="a", steps=100, size_px=32, peak_rate=1.0, warmup_steps=10)
    rates = [learning_rate(phase, step) for step in range(100)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001


def test_a_phase_may_augment_as_a_paper_does(tmp_path: Path) -> None:
    steps = [{"kind": "resize", "size_px": 40}, {"kind": "random-crop", "size_px": 32}]
    recipe = recipe_of(1)
    phase = Phase.model_validate({**recipe.phases[0].model_dump(), "augmentation": steps})
    trainer = Trainer(recipe, DATA, tmp_path)
    images, masks = trainer._batch(phase)
    ours, _ = trainer._batch(recipe.phases[0])
    assert images.shape == ours.shape == (4, 32, 32)
    assert masks.shape == (4, 1, 32, 32)
    assert not torch.equal(images, ours)
    with pytest.raises(TrainingError, match=r"expected augmented images \(32, 32\), got \(40, 40\)"):
        trainer._batch(phase.model_copy(update={"augmentation": phase.augmentation[:1]}))


def test_a_network_of_grey_images_trains_on_one_channel(tmp_path: Path) -> None:
    trainer = Trainer(recipe_of(2, knobs={"in_channels": 1}), DATA, tmp_path)
    trainer.train(ignore)
    assert trainer.network.in_channels == 1
    assert trainer.progress.step == 2


class Threshold(SaliencyNetwork):
    """Takes dark pixels for a defect."""

    size_multiple = 1

    def saliency(self, images: torch.Tensor) -> SaliencyOutputs:
        return SaliencyOutputs(-10 * images[:, :1])


def test_scores_tell_defects_from_clean() -> None:
    scores = score_samples(Threshold(in_channels=1), [patch_sample("a", 1), clean_sample("b", 2)])
    assert scores.iou > 0.9
    assert scores.clean_false_share < 0.01
    assert scores.mae < 0.1
    assert score_samples(Threshold(in_channels=1), []).iou == 0
