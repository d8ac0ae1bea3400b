"""`coilwatch train-classes`: what it leaves, what it says, and that it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.classes.weights import ClassifierInfo
from models.data.folders import Sample
from models.weights.files import read_weights
from tests.models.classes.steel import CLASSES, labelled
from tests.models.samples import write_sample
from tests.orchestration.cli.conftest import Coilwatch

KINDS = ("iron-sheet-ash", "slag-inclusion", "oxide-scale", "roll-printing", "roll-mark", "long-scratch")
STRIP_LABELS = "".join(f'[labels.{kind}]\ndefect_class = "dark"\n' for kind in KINDS)
RECIPE = f"""
name = "tiny"
classes = ["dark", "bright"]
map_models = []
strip_defects = 3
steps = 2
batch = 2
peak_rate = 1e-3
block = 1
[labels.In]
defect_class = "dark"
validation_share = 0.5
[labels.Sc]
defect_class = "bright"
validation_share = 0.5
{STRIP_LABELS}
"""


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    folder = tmp_path / "steel"
    for seed in range(4):
        for prefix, name in zip(("In", "Sc"), CLASSES, strict=True):
            image = labelled(f"{prefix}_{seed + 1}", name, seed)
            write_sample(folder, Sample(image.name, image.pixels, image.masks[0].astype("uint8") * 255))
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_weights_come_with_their_class_list_and_the_command(
    coilwatch: Coilwatch, steel: Path, recipe: Path, tmp_path: Path
) -> None:
    output, again = tmp_path / "run", tmp_path / "again"
    command = ("train-classes", recipe, "--data", steel, "--threads", 1, "--output")

    ran = coilwatch(*command, output)

    assert ran.code == 0
    assert "validation accuracy" in ran.err
    weights = output / "tiny.safetensors"
    _, info = read_weights(weights, ClassifierInfo)
    assert info.classes == CLASSES
    assert info.recipe == "coilwatch train-classes tiny.toml --data DIR --output DIR"
    assert "3 findings of simulated strip" in info.data
    shutil.copytree(output, again)
    (again / "tiny.safetensors").unlink()
    assert coilwatch(*command, again).code == 0
    assert (again / "tiny.safetensors").read_bytes() == weights.read_bytes()


def test_test_images_end_it(coilwatch: Coilwatch, recipe: Path, steel: Path, tmp_path: Path) -> None:
    folder = steel.rename(tmp_path / "test")
    ran = coilwatch("train-classes", recipe, "--data", folder, "--output", tmp_path / "run")
    assert ran.code == 1
    assert "holds test images" in ran.err
    assert "simulated strip" not in ran.err
    assert not (tmp_path / "run").exists()
