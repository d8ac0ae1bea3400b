"""`coilwatch train`: what it leaves, what it says, and that a kill changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ingest.simulation import write_tiles
from models.training.state import STATE_FILE
from models.weights.files import read_weights
from orchestration.cli import training
from tests.models.samples import patch_sample, write_sample
from tests.orchestration.cli.conftest import Coilwatch

RECIPE = """
name = "tiny"
network = "scfnet"
width = 0.5
held_out_share = 0.25
held_out_strip_tiles = 2
score_every = 5
{settings}
[[phases]]
name = "only"
steps = {steps}
size_px = 32
batch = 2
peak_rate = 1e-3
strip_share = {strip_share}
"""

WAIT_S = 90.0
"""For the first state of a run that starts on a busy machine."""

TRAIN = ("train", "--threads", 1)
"""More threads only wait for each other over images so small."""


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    for index in range(1, 9):
        write_sample(tmp_path / "steel", patch_sample(f"In_{index}", seed=index, side=32))
    return tmp_path / "steel"


def written(folder: Path, steps: int = 5, strip_share: float = 0.0, settings: str = "") -> Path:
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(steps=steps, strip_share=strip_share, settings=settings))
    return path


def test_training_leaves_weights_and_says_how_far_it_is(
    coilwatch: Coilwatch, steel: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    recipe = written(tmp_path)
    ran = coilwatch(*TRAIN, recipe, "--data", steel, "-o", output, "--seed", 3, "--fold", 1)
    assert ran.code == 0
    assert "step 5 (only): loss " in ran.err
    assert ", best so far" in ran.err
    assert f"Wrote {output / 'tiny.safetensors'}" in ran.err
    _, info = read_weights(output / "tiny.safetensors")
    assert info.recipe == "coilwatch train tiny.toml --data DIR --fold 1 --seed 3 --output DIR"
    assert {path.name for path in output.iterdir()} == {
        *("tiny.safetensors", "training.svg", "log.jsonl", STATE_FILE, "run.lock")
    }


def test_strip_is_written_where_a_recipe_needs_it(coilwatch: Coilwatch, steel: Path, tmp_path: Path) -> None:
    recipe = written(tmp_path, settings="strip_tiles = 8", strip_share=0.5)
    assert coilwatch(*TRAIN, recipe, "--data", steel, "-o", tmp_path / "run").code == 0
    assert len(list((tmp_path / "run" / "strip-8" / "images").iterdir())) == 8
    _, info = read_weights(tmp_path / "run" / "tiny.safetensors")
    assert "held-out strip iou" in info.metrics
    write_tiles(tmp_path / "own", tiles=8, seed=3)
    own = ("--strip", tmp_path / "own") * 2
    arguments = ("--data", steel, *own, "-o", tmp_path / "second")
    assert coilwatch(*TRAIN, recipe, *arguments).code == 0
    assert not list((tmp_path / "second").glob("strip*"))
    _, info = read_weights(tmp_path / "second" / "tiny.safetensors")
    assert info.recipe == "coilwatch train tiny.toml --data DIR --strip DIR --strip DIR --output DIR"


def test_frames_of_a_line_train_where_a_recipe_needs_them(
    coilwatch: Coilwatch, steel: Path, tmp_path: Path
) -> None:
    recipe = written(tmp_path, settings="held_out_frames_share = 0.5")
    recipe.write_text(recipe.read_text() + "frames_share = 0.5\n")
    for index in range(4):
        write_sample(tmp_path / "line", patch_sample(f"frame-{index}", seed=index, side=256))
    arguments = ("--data", steel, "-o", tmp_path / "run")
    ran = coilwatch(*TRAIN, recipe, *arguments)
    assert ran.error == "recipe tiny trains on frames of a line: expected a folder, got none"
    assert not (tmp_path / "run").exists()
    assert coilwatch(*TRAIN, recipe, "--frames", tmp_path / "line", *arguments).code == 0
    _, info = read_weights(tmp_path / "run" / "tiny.safetensors")
    assert "held-out frames iou" in info.metrics
    assert info.recipe == "coilwatch train tiny.toml --data DIR --frames DIR --output DIR"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere"), "expected a folder that can be read, got nowhere/images: No such file"),
        (("--data", "steel", "--device", "bad"), "no device bad"),
    ],
    ids=["steel", "device"],
)
def test_no_strip_is_written_for_what_cannot_train(
    coilwatch: Coilwatch,
    steel: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(steel.parent)
    recipe = written(steel.parent, strip_share=0.5, settings="strip_tiles = 4")
    ran = coilwatch(*TRAIN, recipe, *arguments, "-o", "run")
    assert ran.code == 1
    assert ran.error.startswith(message)
    assert "simulated strip" not in ran.err
    assert not (steel.parent / "run").exists()


def test_strip_of_other_settings_is_written_anew(coilwatch: Coilwatch, steel: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "strip-6.unfinished" / "images").mkdir(parents=True)
    (tmp_path / "run" / "strip-6.unfinished" / "images" / "99999.png").touch()
    for tiles in (8, 6):
        recipe = written(tmp_path, settings=f"strip_tiles = {tiles}", strip_share=0.5)
        coilwatch(*TRAIN, recipe, "--data", steel, "-o", tmp_path / "run")
        assert len(list((tmp_path / "run" / f"strip-{tiles}" / "images").iterdir())) == tiles
    assert not list((tmp_path / "run").glob("*.unfinished"))


def test_weights_that_are_gone_are_missed(coilwatch: Coilwatch, steel: Path, tmp_path: Path) -> None:
    arguments = (*TRAIN, written(tmp_path), "--data", steel, "-o", tmp_path / "run")
    assert coilwatch(*arguments).code == 0
    (tmp_path / "run" / "tiny.safetensors").unlink()
    ran = coilwatch(*arguments)
    assert ran.code == 1
    assert "expected tiny.safetensors beside its state, got none" in ran.error


def test_a_student_is_made_again_with_its_teacher(coilwatch: Coilwatch, steel: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "other", patch_sample("other", seed=40, side=32))
    recipe = written(tmp_path)
    recipe.write_text(recipe.read_text() + "taught_share = 0.5\n")
    arguments = (recipe, "--data", steel, "--unlabelled", tmp_path / "other", "-o", tmp_path / "run")
    ran = coilwatch(*TRAIN, *arguments)
    assert ran.code == 1
    assert "expected weights of one, got none" in ran.error
    ran = coilwatch(*TRAIN, *arguments, "--teacher", "csnet-x1")
    assert ran.code == 0
    assert "The teacher marks 1 images of unlabelled steel" in ran.err
    _, info = read_weights(tmp_path / "run" / "tiny.safetensors")
    assert info.recipe == (
        "coilwatch train tiny.toml --data DIR --unlabelled DIR --teacher csnet-x1 --output DIR"
    )


def test_weights_for_comparison_are_called_so(coilwatch: Coilwatch, steel: Path, tmp_path: Path) -> None:
    recipe = written(tmp_path, settings='normalisation = "imagenet"')
    ran = coilwatch(*TRAIN, recipe, "--data", steel, "-o", tmp_path / "run")
    assert "normalised as imagenet" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wonder", "--data", "steel"), "no recipe wonder: expected a TOML file or one of"),
        (
            ("tiny.toml", "--data", "nowhere"),
            "expected a folder that can be read, got nowhere/images: No such file",
        ),
        (("tiny.toml", "--data", "steel", "--device", "tpu"), "no device tpu: expected auto, cpu, cuda"),
        (("tiny.toml", "--data", "steel", "--fold", "5"), "fold: expected 0 to 4, got 5"),
        (("tiny.toml", "--data", "steel", "--output", "tiny.toml"), "output tiny.toml: expected a folder"),
        (
            ("tiny.toml", "--data", "steel", "--device", "cuda:1", "--processes", "2"),
            "--device cuda:1: expected auto, cpu or cuda, as each of 2 processes has its own GPU",
        ),
        (
            ("tiny.toml", "--data", "steel", "--strip", "steel"),
            "--strip: recipe tiny does not train on simulated strip",
        ),
        (
            ("tiny.toml", "--data", "steel", "--frames", "steel"),
            "--frames: recipe tiny does not train on frames of a line",
        ),
        (
            ("tiny.toml", "--data", "steel", "--unlabelled", "steel"),
            "--unlabelled: recipe tiny does not train on unlabelled steel",
        ),
        (
            ("tiny.toml", "--data", "steel", "--teacher", "csnet-x1"),
            "--teacher: recipe tiny does not train on a teacher's maps",
        ),
    ],
    ids=["recipe", "data", "device", "fold", "output", "one GPU", "strip", "frames", "unlabelled", "teacher"],
)
def test_what_cannot_be_trained_is_one_line(
    coilwatch: Coilwatch,
    steel: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(steel.parent)
    written(steel.parent)
    ran = coilwatch("train", "--output", "run", *arguments)
    assert ran.code == 1
    assert message in ran.error


def test_gpus_of_several_processes_may_be_other_machines(
    coilwatch: Coilwatch, steel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(training, "_train_shared", lambda run, _: shared.append(run.run.device))
    monkeypatch.setattr(training, "_say_what_came_out", lambda _: None)
    arguments = ("--data", steel, "--device", "cuda", "--processes", 2, "-o", tmp_path / "run")
    assert coilwatch(*TRAIN, written(tmp_path), *arguments).code == 0
    assert shared == ["cuda"]


@pytest.mark.parametrize(
    ("device", "processes", "loaders"),
    [("auto", 1, 15), ("cuda", 4, 3), ("cuda", 32, 1), ("cpu", 1, 0)],
    ids=["one", "four", "more than processors", "no GPU"],
)
def test_processes_divide_the_processors_between_their_loaders(
    monkeypatch: pytest.MonkeyPatch, device: str, processes: int, loaders: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training._loaders(device, processes) == loaders


@pytest.mark.parametrize("taught", [False, True])
def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(
    coilwatch: Coilwatch, steel: Path, tmp_path: Path, taught: bool
) -> None:
    recipe = written(tmp_path, steps=60)
    arguments = ["train", str(recipe), "--data", str(steel), "--device", "cpu", "--threads", "1", "--output"]
    if taught:
        write_sample(tmp_path / "other", patch_sample("other", seed=40, side=32))
        recipe.write_text(recipe.read_text() + "taught_share = 0.5\n")
        arguments[2:2] = ["--teacher", "csnet-x1", "--unlabelled", str(tmp_path / "other")]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    program = "import sys; from orchestration.cli import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments, str(killed)], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while not (killed / STATE_FILE).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert (killed / STATE_FILE).exists()
    resumed = coilwatch(*arguments, killed)
    assert "Going on after step" in resumed.err
    assert coilwatch(*arguments, whole).code == resumed.code == 0
    for name in ("tiny.safetensors", STATE_FILE):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
