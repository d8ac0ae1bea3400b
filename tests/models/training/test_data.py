from dataclasses import replace
from pathlib import Path

import pytest

from models.data.folders import load_samples
from models.errors import DatasetError, TrainingError
from models.training.data import gather
from tests.models.samples import clean_sample, patch_sample, write_sample
from tests.models.training.runs import phase_of, recipe_of


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    folder = tmp_path / "steel" / "train"
    for index in range(1, 11):
        write_sample(folder, patch_sample(f"In_{index}", seed=index, side=32))
    return folder


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    for index in range(5):
        write_sample(tmp_path / "strip", patch_sample(f"{index}", seed=index, side=32))
    return tmp_path / "strip"


def test_samples_are_split_and_described(steel: Path, strip: Path) -> None:
    recipe = recipe_of(phase_of(strip_share=0.5), held_out_share=0.2, held_out_strip_tiles=2)
    data = gather(recipe, steel, [strip])
    assert [len(part) for part in (data.steel, data.held_out_steel, data.strip, data.held_out_strip)] == [
        *(8, 2, 3, 2)
    ]
    assert data.described() == (
        f"8 images of steel/train and 3 tiles of simulated strip, digest {data.digest}"
    )
    assert gather(recipe, steel, [strip]).digest == data.digest
    assert gather(recipe_of(phase_of(), held_out_share=0.2), steel).digest != data.digest


def test_the_folds_of_a_recipe_hold_out_everything_once(steel: Path) -> None:
    held_out = [
        sample.name
        for fold in range(5)
        for sample in gather(recipe_of(phase_of(), fold=fold), steel).held_out_steel
    ]
    assert sorted(held_out) == sorted(f"In_{index}" for index in range(1, 11))


def test_noisy_copies_are_of_training_images_alone(steel: Path) -> None:
    data = gather(recipe_of(phase_of(), held_out_share=0.2, noisy_copies=0.5), steel)
    assert len(data.steel) == 8 + 4
    assert sum("noise" in sample.name or "pepper" in sample.name for sample in data.steel) == 4
    originals = {sample.name.split("+")[0] for sample in data.steel}
    assert originals.isdisjoint(sample.name for sample in data.held_out_steel)


def test_a_folder_called_test_never_trains(steel: Path) -> None:
    steel.rename(steel.parent / "test")
    with pytest.raises(TrainingError, match="holds test images: expected a folder of training images"):
        gather(recipe_of(phase_of()), steel.parent / "test")


@pytest.mark.parametrize("name", ["In_61", "Pa_180", "Sc_300"])
def test_images_of_the_test_split_never_train(steel: Path, name: str) -> None:
    write_sample(steel, patch_sample(name, seed=1, side=32))
    with pytest.raises(TrainingError, match=f"{name} is of SD-saliency-900's test split"):
        gather(recipe_of(phase_of()), steel)


def test_other_names_may_train(steel: Path) -> None:
    for name in ("In_60", "In_101", "In_361", "Xy_61", "61"):
        write_sample(steel, patch_sample(name, seed=1, side=32))
    assert gather(recipe_of(phase_of(), held_out_share=0.2), steel).steel


def test_the_real_folders_are_told_apart(data_dir: Path) -> None:
    recipe = recipe_of(phase_of(), held_out_share=0.2)
    data = gather(recipe, data_dir / "sd-saliency-900" / "train")
    assert (len(data.steel), len(data.held_out_steel)) == (432, 108)
    for names in ({sample.name for sample in part} for part in (data.steel, data.held_out_steel)):
        assert ("Pa_101" in names) == ("Pa_105" in names)
    with pytest.raises(TrainingError, match="test images"):
        gather(recipe, data_dir / "sd-saliency-900" / "test")


def test_unlabelled_steel_is_read_from_folders_in_folders(steel: Path, tmp_path: Path) -> None:
    recipe = recipe_of(phase_of(taught_share=1.0), held_out_share=0.2)
    other = tmp_path / "other"
    write_sample(other / "deeper", patch_sample("b", seed=1, side=32))
    write_sample(other / "first", patch_sample("a", seed=2, side=40))
    data = gather(recipe, steel, unlabelled=[other])
    assert [(sample.name, sample.is_clean) for sample in data.unlabelled] == [("b", True), ("a", True)]
    assert "and 2 unlabelled images, digest" in data.described()
    with pytest.raises(DatasetError, match="trains on unlabelled steel: expected a folder, got none"):
        gather(recipe, steel)
    with pytest.raises(
        DatasetError, match=r"expected a folder that can be read, got .*nowhere: No such file"
    ):
        gather(recipe, steel, unlabelled=[tmp_path / "nowhere"])
    write_sample(other / "of-test", patch_sample("In_70", seed=1, side=32))
    with pytest.raises(TrainingError, match="In_70 is of SD-saliency-900's test split"):
        gather(recipe, steel, unlabelled=[other])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_split_leaves_something_on_both_sides(steel: Path, share: float) -> None:
    with pytest.raises(TrainingError, match="expected images to train on and images to choose by"):
        gather(recipe_of(phase_of(), held_out_share=share), steel)


def test_strip_that_is_missing_or_too_little_is_named(steel: Path, strip: Path) -> None:
    recipe = recipe_of(phase_of(strip_share=0.5), held_out_share=0.2, held_out_strip_tiles=5)
    with pytest.raises(DatasetError, match="expected a folder of it, got none"):
        gather(recipe, steel)
    with pytest.raises(DatasetError, match="expected more than the 5 strip tiles that are held out, got 5"):
        gather(recipe, steel, [strip])
    write_sample(strip, patch_sample("In_70", seed=1, side=32))
    with pytest.raises(TrainingError, match="In_70 is of SD-saliency-900's test split"):
        gather(recipe, steel, [strip])


def mark_with(folder: Path, level: int) -> None:
    for sample in load_samples(folder):
        write_sample(folder, replace(sample, mask=sample.mask // 255 * level))


@pytest.mark.parametrize("level", [0, 1, 127])
def test_masks_that_mark_nothing_are_refused(steel: Path, level: int) -> None:
    mark_with(steel, level)
    with pytest.raises(
        TrainingError, match=f"to train on: expected masks marked above 127, got a highest value of {level}$"
    ):
        gather(recipe_of(phase_of(), held_out_share=0.2), steel)


def test_a_mark_is_needed_on_both_sides(steel: Path) -> None:
    recipe = recipe_of(phase_of(), held_out_share=0.2)
    for sample in gather(recipe, steel).held_out_steel:
        write_sample(steel, replace(sample, mask=sample.mask // 255))
    with pytest.raises(TrainingError, match=r"to choose by: expected masks marked above 127, got .* of 1$"):
        gather(recipe, steel)


def test_clean_steel_trains_beside_marked(steel: Path, strip: Path) -> None:
    for index in range(11, 15):
        write_sample(steel, clean_sample(f"In_{index}", seed=index, side=32))
    assert gather(recipe_of(phase_of(), held_out_share=0.2), steel).steel
    mark_with(steel, 0)
    recipe = recipe_of(phase_of(strip_share=0.5), held_out_share=0.2, held_out_strip_tiles=2)
    assert gather(recipe, steel, [strip]).steel


def test_strip_hides_no_masks_of_low_values(steel: Path, strip: Path) -> None:
    mark_with(steel, 1)
    recipe = recipe_of(phase_of(strip_share=0.5), held_out_share=0.2, held_out_strip_tiles=2)
    with pytest.raises(TrainingError, match=r"got a highest value of 1$"):
        gather(recipe, steel, [strip])
