from __future__ import annotations

from pathlib import Path

import pytest

from models.classes import training
from models.classes.data import ClassData, gather_classes, read_steel
from models.classes.recipe import SHIPPED, ClassRecipe, load_class_recipe
from models.classes.training import ClassRun, train_classes
from models.classes.weights import load_classifier
from models.errors import RecipeError, TrainingError
from models.training.recipe import shipped_recipes
from tests.models.classes.steel import CLASSES, labelled, recipe_of

DATA = ClassData(
    train=[labelled(str(seed), CLASSES[seed % 2], seed) for seed in range(6)],
    validation=[labelled(str(seed), CLASSES[seed % 2], seed) for seed in (10, 11)],
    held_back=[],
    source="made up",
)


def run_of(folder: Path, recipe: ClassRecipe | None = None) -> ClassRun:
    return ClassRun(recipe or recipe_of(), DATA, folder, "coilwatch train-classes test")


def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    steps: list[int] = []

    def stop(step: int, _: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    train_classes(run_of(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        train_classes(run_of(tmp_path / "cut"), stop)
    train_classes(run_of(tmp_path / "cut"), lambda step, _: steps.append(step))

    assert steps == [3, 4]
    whole, cut = ((tmp_path / name / "test.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    network, info = load_classifier(tmp_path / "cut" / "test.safetensors")
    assert not network.training
    assert info.classes == CLASSES
    assert (info.version, info.recipe) == ("test.4", "coilwatch train-classes test")
    assert "6 images, calibrated on 2, of made up, digest" in info.data


def test_a_state_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train_classes(run_of(tmp_path, recipe_of(steps=1)))
    with pytest.raises(TrainingError, match="other recipe"):
        train_classes(run_of(tmp_path, recipe_of(steps=2)))


def test_test_images_and_missing_classes_are_refused(tmp_path: Path) -> None:
    from tests.models.classes.test_images import write  # noqa: PLC0415

    labels = {"In": {"defect_class": "dark"}, "Sc": {"defect_class": "bright"}}
    write(tmp_path / "test" / "images" / "In_1.png")
    write(tmp_path / "other" / "images" / "In_61.png")
    write(tmp_path / "dark" / "images" / "In_1.png")
    recipe = recipe_of(labels=labels)
    for folder, problem in (("test", "holds test images"), ("other", "In_61"), ("dark", "none of")):
        with pytest.raises(TrainingError, match=problem):
            read_steel(recipe, [tmp_path / folder], {})


def test_how_many_images_are_marked_is_told(tmp_path: Path) -> None:
    from tests.models.classes.test_images import write  # noqa: PLC0415

    recipe = recipe_of(
        labels={
            "In": {"defect_class": "dark", "validation_share": 0.5},
            "Sc": {"defect_class": "bright", "validation_share": 0.5},
        },
        block=1,
        map_models=(),
    )
    for name in ("In_1", "In_2", "Sc_1", "Sc_2"):
        write(tmp_path / "steel" / "images" / f"{name}.png")
    told: list[tuple[int, int]] = []

    steel = read_steel(recipe, [tmp_path / "steel"], {})
    data = gather_classes(
        recipe, steel, None, tmp_path / "maps", lambda done, total: told.append((done, total))
    )

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for marked, side in ((data.train, "train"), (data.validation, "validation")):
        assert [image.name for image in marked] == [image.name for image in steel.sides[side]]
        assert all(image.masks for image in marked)


@pytest.mark.parametrize("name", shipped_recipes(SHIPPED))
def test_the_recipes_that_ship_name_no_folder(name: str) -> None:
    recipe = load_class_recipe(name)
    assert recipe.name == name
    assert "/" not in recipe.model_dump_json().replace("\\/", "")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"classes": ("dark", "light")}, "expected each class of the labels once"),
        ({"classes": ("dark", "bright", "dark")}, "expected each class of the labels once"),
        ({"labels": {"a": {"defect_class": "No"}, "b": {"defect_class": "dark"}}}, "labels"),
        ({"seed": 2**64}, "seed\n.*should be less than"),
        ({"peak_rate": float("inf")}, "peak_rate\n.*finite"),
        ({"name": "state"}, "expected another name than state"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(tmp_path: Path, change: dict, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        recipe_of(**change)
    with pytest.raises(RecipeError, match="no recipe nothing"):
        load_class_recipe("nothing")
