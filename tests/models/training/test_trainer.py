from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.data.folders import Sample
from models.data.normalisation import NORMALISATIONS
from models.errors import TrainingError
from models.networks.outputs import SaliencyNetwork, SaliencyOutputs
from models.training import trainer as trainer_module
from models.training.devices import Execution, execution
from models.training.recipe import Recipe
from models.training.scoring import Scores, score_samples
from models.training.state import STATE_FILE
from models.training.structure import build_for, start_of
from models.training.trainer import Trainer
from models.training.watching import Standing, StepReport, Watcher
from models.weights import load
from models.weights.files import weights_of
from tests.models.samples import clean_sample, patch_sample
from tests.models.training.runs import CPU, DATA, STEEL, phase_of, recipe_of, two_phases

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adamw": {"kind": "adamw"},
    "adam": {"kind": "adam", "betas": [0.9, 0.99]},
    "sgd": {"kind": "sgd", "momentum": 0.9},
    "sgd without momentum": {"kind": "sgd", "momentum": 0},
    "rmsprop": {"kind": "rmsprop", "alpha": 0.9},
}


class Record(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.standings: list[Standing] = []
        self.reports: list[StepReport] = []

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report)

    def on_score(self, standing: Standing, network: nn.Module) -> None:  # noqa: ARG002
        self.standings.append(standing)


class CutOffError(Exception):
    pass


class CutOff(Watcher):
    """Ends a run after a step, before its state is saved."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step(self, report: StepReport) -> None:
        if report.step == self._step:
            raise CutOffError


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    for kind in ("network", "average"):
        expected, found = weights_of(getattr(one, kind)), weights_of(getattr(other, kind))
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def assert_resumes_exactly(recipe: Recipe, folder: Path, cut_after: int, saved: int) -> None:
    whole = Trainer(recipe, DATA, folder / "whole", CPU)
    whole.train()
    cut = Trainer(recipe, DATA, folder / "cut", CPU)
    with pytest.raises(CutOffError):
        cut.train(CutOff(cut_after))
    resumed = Trainer(recipe, DATA, folder / "cut", CPU)
    assert resumed.progress.step == saved
    resumed.train()
    assert resumed.progress == whole.progress
    assert_same_weights(whole, resumed)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path, optimizer: str) -> None:
    recipe = recipe_of(*two_phases(2, 2), optimizer=OPTIMIZERS[optimizer])
    assert_resumes_exactly(recipe, tmp_path, cut_after=4, saved=2)


@pytest.mark.parametrize(
    ("settings", "phase"),
    [
        ({"network": "pfanet", "width": 0.125}, {}),
        (
            {
                "network": "csnet-x1",
                "width": 0.2,
                "dynamic_decay": 3.0,
                "channels_last": True,
                "ema_decay": 0,
            },
            {},
        ),
        (
            {"loss": {"kind": "dice"}},
            {"multi_scale_px": [32, 64], "order": "epochs"},
        ),
        ({}, {"average": "phase", "all_steel": True}),
    ],
    ids=[
        "dropout",
        "dynamic decay and channels last",
        "sizes, order and outlines by progress",
        "all steps' average",
    ],
)
def test_whatever_chance_or_time_decides_is_taken_up_again(
    tmp_path: Path, settings: dict[str, Any], phase: dict[str, Any]
) -> None:
    recipe = recipe_of(phase_of(4, **phase), **{"score_every": 2, **settings})
    assert_resumes_exactly(recipe, tmp_path, cut_after=3, saved=2)


def test_the_state_is_saved_between_scorings_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "SAVE_EVERY_S", 0.0)
    assert_resumes_exactly(recipe_of(*two_phases(3)), tmp_path, cut_after=2, saved=1)


# PyTorch warns where there are fewer cores than such processes.
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_batches_made_by_other_processes_train_the_same(tmp_path: Path) -> None:
    recipe = recipe_of(*two_phases(2, 2))
    alone, helped = (Trainer(recipe, DATA, tmp_path / f"{n}", CPU, loaders=n) for n in (0, 2))
    alone.train()
    helped.train()
    assert_same_weights(alone, helped)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    record = Record()
    recipe = recipe_of(phase_of(24, peak_rate=1e-2), network="pfanet", width=0.125)
    Trainer(recipe, STEEL, tmp_path, CPU).train(record)
    losses = [report.loss for report in record.reports]
    assert sum(losses[-6:]) < 0.85 * sum(losses[:6])


def test_steps_are_told_and_the_best_of_each_phase(tmp_path: Path) -> None:
    record = Record()
    recipe = recipe_of(*two_phases(2, 2), score_every=1)
    Trainer(recipe, DATA, tmp_path, CPU).train(record)
    assert [(report.step, report.total_steps, report.phase) for report in record.reports] == [
        (1, 4, "0"),
        (2, 4, "0"),
        (3, 4, "1"),
        (4, 4, "1"),
    ]
    assert [report.rate for report in record.reports[:2]] == [1e-3, 2e-3]
    assert [standing.step for standing in record.standings] == [1, 2, 3, 4]
    assert record.standings[0].is_best
    assert record.standings[2].is_best
    strip, steel = record.standings[0].strip, record.standings[0].steel
    assert strip is not None
    assert record.standings[0].score == (steel.iou + strip.iou) / 2 - strip.clean_false_share


def test_strip_on_which_nothing_is_marked_takes_nothing_from_steel_but_what_is_false() -> None:
    steel, clean = Scores(0.7, 0.1, 0.0, defective=3), Scores(0.0, 0.1, 0.25, clean=4)
    assert Standing(1, "a", steel, clean).score == 0.7 - 0.25
    assert Standing(1, "a", steel, replace(clean, defective=1)).score == 0.35 - 0.25


class Weights(Watcher):
    """Keeps a weight of the trained network after each step."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self.seen: list[torch.Tensor] = []

    def on_step(self, report: StepReport) -> None:  # noqa: ARG002 - the weights alone
        assert self.trainer is not None
        self.seen.append(next(self.trainer.network.parameters()).detach().clone())


@pytest.mark.parametrize("lost_step", [None, 2, 4], ids=["none lost", "first lost", "last lost"])
def test_a_phase_may_average_all_of_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_step: int | None
) -> None:
    weights = Weights()
    recipe = recipe_of(phase_of(2), phase_of(3, name="b", average="phase"))
    trainer = weights.trainer = Trainer(recipe, DATA, tmp_path, CPU)
    finite = trainer._finite_gradient
    monkeypatch.setattr(trainer, "_finite_gradient", lambda: finite() and trainer.progress.step != lost_step)
    trainer.train(weights)
    average = next(trainer.average.parameters())
    torch.testing.assert_close(average, torch.stack(weights.seen[2:]).mean(dim=0))
    assert not torch.allclose(average, torch.stack(weights.seen).mean(dim=0))


def test_of_a_phase_that_trains_on_all_steel_the_end_counts(tmp_path: Path) -> None:
    record = Record()
    recipe = recipe_of(phase_of(2), phase_of(3, name="b", all_steel=True), score_every=1)
    Trainer(recipe, DATA, tmp_path, CPU).train(record)
    assert [standing.seen for standing in record.standings] == [False, False, True, True, True]
    assert [standing.is_best for standing in record.standings[2:]] == [False, False, True]


def test_frames_of_a_line_are_scored_and_choose_nothing(tmp_path: Path) -> None:
    record = Record()
    recipe = recipe_of(phase_of(1, frames_share=0.5))
    tiles = [patch_sample("frame", 5), clean_sample("frame", 6)]
    Trainer(recipe, replace(STEEL, frames=tiles, held_out_frames=tiles), tmp_path, CPU).train(record)
    (standing,) = record.standings
    assert standing.frames is not None
    assert standing.score == standing.steel.iou
    with pytest.raises(TrainingError, match="recipe test needs frames of a line, and none were given"):
        Trainer(recipe, STEEL, tmp_path, CPU)


def test_training_may_go_on_from_weights(tmp_path: Path) -> None:
    phase = phase_of(2, all_steel=True)
    recipe = recipe_of(phase, network="coilgate", width=1.0, knobs={"pretrained": True}, start="gate")
    trainer = Trainer(recipe, replace(STEEL, start=start_of(recipe)), tmp_path, CPU)
    shipped, info = load("gate")
    for name, tensor in shipped.state_dict().items():
        assert torch.equal(trainer.network.state_dict()[name], tensor)
    assert trainer.data.described().endswith(
        f" from {info.version} {info.digest} on, digest {trainer.data.digest}"
    )
    trainer.train()
    assert not torch.equal(next(trainer.network.parameters()), next(shipped.parameters()))
    with pytest.raises(TrainingError, match="other data"):
        Trainer(recipe, replace(STEEL, start="gate.1 0"), tmp_path, CPU)


def test_a_start_of_another_network_is_refused() -> None:
    recipe = recipe_of(phase_of(all_steel=True), network="coilgate", width=0.5, start="gate")
    with pytest.raises(
        TrainingError, match=r"expected a start of \('coilgate', 0.5, {}\), got gate of .*1.0"
    ):
        build_for(recipe)


def test_a_recipe_with_strip_needs_strip(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="strip"):
        Trainer(recipe_of(*two_phases(1, 1)), STEEL, tmp_path, CPU)


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        (recipe_of(phase_of(), seed=8), STEEL, "other recipe"),
        (recipe_of(phase_of()), DATA, "other data"),
    ],
    ids=["recipe", "data"],
)
def test_a_state_of_another_run_is_refused(tmp_path: Path, recipe: Recipe, data: Any, message: str) -> None:
    Trainer(recipe_of(phase_of()), STEEL, tmp_path, CPU).train()
    with pytest.raises(TrainingError, match=message):
        Trainer(recipe, data, tmp_path, CPU)


@pytest.mark.parametrize("kept_bytes", [0, 100, 100_000])
def test_a_damaged_state_is_refused(tmp_path: Path, kept_bytes: int) -> None:
    recipe = recipe_of(phase_of())
    Trainer(recipe, STEEL, tmp_path, CPU).train()
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(TrainingError, match="cannot go on"):
        Trainer(recipe, STEEL, tmp_path, CPU)


def test_steps_without_a_finite_gradient_change_nothing_and_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "MAX_LOST_STEPS", 3)
    trainer = Trainer(recipe_of(phase_of(10)), STEEL, tmp_path, CPU)
    before = {name: tensor.clone() for name, tensor in trainer.average.state_dict().items()}
    monkeypatch.setattr(trainer, "_normalise", lambda *_: torch.full((4, 3, 32, 32), torch.nan))
    with pytest.raises(TrainingError, match="finite"):
        trainer.train()
    assert trainer.progress.step == 2
    after = trainer.average.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_lost_step_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(recipe_of(phase_of(4)), STEEL, tmp_path, CPU)
    normalise = trainer._normalise

    def first_one_broken(pixels: torch.Tensor, channels: int) -> torch.Tensor:
        images = normalise(pixels, channels)
        return images if trainer.progress.step else images * torch.nan

    monkeypatch.setattr(trainer, "_normalise", first_one_broken)
    trainer.train()
    assert trainer.progress.lost_steps == 0
    for network in (trainer.network, trainer.average):
        assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        ({"size_px": 33}, r"phase 1: expected images .* multiples of 32, got \(1, 3, 33, 33\)"),
        ({"multi_scale_px": (32, 50)}, r"phase 1: .*got \(1, 3, 50, 50\)"),
        ({"loss": {"map_weights": (1.0, 0.5)}}, "phase 1: expected a weight for each of 4 maps, got 2"),
        ({"prune": {}}, "phase 1: expected a CSNet to prune, got SCFNet"),
        (
            {"augmentation": [{"kind": "zoom-crop", "size_px": 96}]},
            r"phase 1: expected augmented images \(32, 32\), got \(96, 96\)",
        ),
        (
            {"augmentation": [{"kind": "random-crop", "size_px": 96}]},
            "phase 1: expected images of at least 96 px a side, got 64x64",
        ),
    ],
    ids=["size", "scales", "maps", "prune", "augmented size", "crop"],
)
def test_what_a_later_phase_cannot_do_is_told_before_the_first(
    tmp_path: Path, phase: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        Trainer(recipe_of(phase_of(), phase_of(1, name="1", **phase)), STEEL, tmp_path, CPU)


def test_a_network_of_grey_images_trains_on_one_channel(tmp_path: Path) -> None:
    trainer = Trainer(recipe_of(phase_of(2), knobs={"in_channels": 1}), STEEL, tmp_path, CPU)
    trainer.train()
    assert trainer.network.in_channels == 1
    assert trainer.progress.step == 2


def test_an_attention_penalty_needs_a_network_that_has_one(tmp_path: Path) -> None:
    loss = {"kind": "edge-hold", "attention_penalty": True}
    with pytest.raises(TrainingError, match="SCFNet has no channel attention"):
        Trainer(recipe_of(phase_of(), loss=loss), STEEL, tmp_path, CPU)
    Trainer(recipe_of(phase_of(), loss=loss, network="pfanet", width=0.125), STEEL, tmp_path, CPU).train()


def test_low_precision_trains_with_whole_gradients(tmp_path: Path) -> None:
    for kind in (torch.bfloat16, torch.float16):
        record = Record()
        where = Execution(torch.device("cpu"), kind)
        trainer = Trainer(recipe_of(phase_of(3, size_px=64)), STEEL, tmp_path / str(kind), where)
        trainer.train(record)
        assert trainer.progress.lost_steps == 0
        full = Record()
        Trainer(recipe_of(phase_of(3, size_px=64)), STEEL, tmp_path / f"{kind} whole", CPU).train(full)
        assert [report.loss for report in record.reports] == pytest.approx(
            [report.loss for report in full.reports], rel=0.05
        )


@pytest.mark.parametrize(
    ("device", "message"),
    [("tpu", "expected auto, cpu, cuda"), ("cuda:x", "cuda:1"), ("cuda:99", r"finds \d+ GPUs")],
)
def test_a_device_that_is_not_there_is_named(device: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        execution(device, low_precision=True)


def test_the_processor_takes_bfloat16() -> None:
    assert execution("cpu", low_precision=True) == Execution(torch.device("cpu"), torch.bfloat16)
    assert execution("cpu", low_precision=False).low_precision is None


class Threshold(SaliencyNetwork):
    """Takes dark pixels for a defect."""

    size_multiple = 1

    def saliency(self, images: torch.Tensor) -> SaliencyOutputs:
        return SaliencyOutputs(-10 * images[:, :1])


def scores_of(*samples: Sample) -> Scores:
    return score_samples(Threshold(in_channels=1), samples, NORMALISATIONS["steel"], torch.device("cpu"))


def test_scores_tell_defects_from_clean() -> None:
    scores = scores_of(patch_sample("a", 1), clean_sample("b", 2))
    assert scores.iou > 0.9
    assert scores.clean_false_share < 0.01
    assert scores.mae < 0.1
    assert scores_of().iou == 0
