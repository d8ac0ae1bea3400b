from __future__ import annotations

import fcntl
import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from models.data.normalisation import normalisation
from models.errors import TrainingError
from models.training.recipe import Recipe
from models.training.run import LOCK_FILE, PLOT_FILE, TAUGHT_FOLDER, TrainingRun, run_training
from models.training.run_log import LOG_FILE, read_log
from models.training.scoring import score_samples
from models.training.state import STATE_FILE
from models.training.watching import Watcher
from models.weights.files import read_weights
from models.weights.registry import load
from tests.models.samples import patch_sample, write_sample
from tests.models.training.runs import phase_of, recipe_of

COMMAND = "coilwatch train test --data DIR --output DIR"


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    for index in range(1, 9):
        write_sample(tmp_path / "steel", patch_sample(f"In_{index}", seed=index, side=32))
    return tmp_path / "steel"


def run_of(steel: Path, **settings: object) -> TrainingRun:
    recipe: Recipe = recipe_of(phase_of(20), phase_of(3, name="b"), held_out_share=0.25, **settings)
    return TrainingRun(recipe, steel, steel.parent / "run", COMMAND, device="cpu")


def test_a_run_leaves_weights_log_and_plot(steel: Path) -> None:
    run = run_of(steel)
    run_training(run)
    network, info = load(run.output / "test.safetensors")
    assert (info.network, info.width, info.recipe) == ("scfnet", 0.5, COMMAND)
    assert info.version == "test.23"
    assert info.data.startswith("6 images of ")
    assert set(info.metrics) == {"held-out steel iou", "held-out steel mae"}
    assert not network.training
    lines = read_log(run.output)
    assert [(line["step"], "score" in line) for line in lines] == [
        (20, False),
        (20, True),
        (23, False),
        (23, True),
    ]
    assert lines[0]["phase"] == "a"
    assert lines[3]["steel"]["iou"] == pytest.approx(info.metrics["held-out steel iou"], abs=1e-5)
    plot = (run.output / PLOT_FILE).read_text()
    assert "<svg" in plot
    assert all(f"<!-- {words} -->" in plot for words in ("loss", "learning rate", "held-out IoU"))


def test_what_trained_at_last_is_not_told_as_held_out(steel: Path) -> None:
    run = run_of(steel)
    phases = (phase_of(1), phase_of(1, name="b", all_steel=True))
    run = replace(run, recipe=run.recipe.model_copy(update={"phases": phases}))
    run_training(run)
    _, info = load(run.output / "test.safetensors")
    assert info.data.startswith("8 images of ")
    assert info.metrics == {}
    assert [line["seen"] for line in read_log(run.output) if "score" in line] == [False, True]


def test_a_run_that_is_done_stays_as_it_is(steel: Path) -> None:
    run = run_of(steel)
    run_training(run)
    before = {path.name: path.read_bytes() for path in run.output.iterdir()}
    run_training(run)
    assert {path.name: path.read_bytes() for path in run.output.iterdir()} == before


def test_a_log_forgets_what_its_state_does_not_know(steel: Path) -> None:
    run = run_of(steel)
    run_training(run)
    log = run.output / LOG_FILE
    whole = log.read_text()
    log.write_text(whole + json.dumps({"step": 99, "loss": 1.0}) + '\n{"step": 12')
    run_training(run)
    assert log.read_text() == whole


def test_weights_are_as_sharp_as_their_recipe_says(steel: Path) -> None:
    run = run_of(steel, sharpness=3.0)
    run_training(run)
    network, info = load(run.weights)
    assert info.sharpness == 3
    samples = run.data().held_out_steel
    scores = score_samples(network, samples, normalisation("steel"), torch.device("cpu"), sharpness=3)
    assert info.metrics["held-out steel mae"] == pytest.approx(scores.mae, abs=1e-4)
    plain = score_samples(network, samples, normalisation("steel"), torch.device("cpu"))
    assert abs(plain.mae - scores.mae) > 1e-3


def test_weights_for_comparison_say_how_they_are_normalised(steel: Path) -> None:
    run = run_of(steel, normalisation="imagenet")
    run_training(run)
    _, info = read_weights(run.weights)
    assert info.data.endswith(", normalised as imagenet")


def test_a_student_learns_from_the_maps_of_a_teacher(steel: Path, tmp_path: Path) -> None:
    first = run_of(steel)
    run_training(first)
    write_sample(tmp_path / "other", patch_sample("other", seed=40, side=32))
    recipe = recipe_of(
        phase_of(2, taught_share=1.0, loss={"kind": "dice"}), phase_of(1, name="b"), held_out_share=0.25
    )
    student = TrainingRun(
        recipe, steel, tmp_path / "student", COMMAND, unlabelled=(tmp_path / "other",), device="cpu"
    )
    with pytest.raises(TrainingError, match="expected weights of one, got none"):
        run_training(student)
    student, watcher = replace(student, teacher=str(first.weights)), Taught()
    run_training(student, [watcher])
    assert watcher.told == [(1, 1)]
    (kept,) = (student.output / TAUGHT_FOLDER).glob("*/*.png")
    assert cv2.imread(str(kept), cv2.IMREAD_GRAYSCALE).shape == (32, 32)
    _, info = read_weights(student.weights)
    assert f" and 1 unlabelled images with maps of test.23 {kept.parent.name}, digest " in info.data
    with pytest.raises(TrainingError, match="other data"):
        run_training(replace(student, teacher="csnet-x1"))


class Taught(Watcher):
    """Keeps what it is told of the teacher's maps."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def on_taught(self, done: int, total: int) -> None:
        self.told.append((done, total))


def test_two_runs_cannot_share_a_folder(steel: Path) -> None:
    run = run_of(steel)
    run.output.mkdir()
    with (run.output / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TrainingError, match="another training runs in"):
            run_training(run)


def test_what_a_kill_left_half_written_is_cleared_away(steel: Path) -> None:
    run = run_of(steel)
    run.output.mkdir()
    left = run.output / f".{STATE_FILE}.4711"
    left.write_bytes(b"half")
    run_training(run)
    assert not left.exists()


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected the output folder of a training run"):
        read_log(tmp_path)
