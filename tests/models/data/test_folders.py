from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.data.folders import SAME_PICTURES, Sample, load_samples, split_samples
from models.errors import DatasetError
from tests.models.samples import patch_sample, write_sample


def named(*names: str) -> list[Sample]:
    blank = np.zeros((4, 4), dtype=np.uint8)
    return [Sample(name, blank, blank) for name in names]


def test_samples_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("Sc_2", "In_1", "Pa_9"):
        write_sample(tmp_path, patch_sample(name, seed=len(name)))
    samples = load_samples(tmp_path)
    assert [sample.name for sample in samples] == ["In_1", "Pa_9", "Sc_2"]
    assert np.array_equal(samples[0].image, patch_sample("In_1", seed=4).image)
    assert set(np.unique(samples[0].mask)) == {0, 255}


def shrink_mask(folder: Path) -> None:
    other = folder / "other"
    write_sample(other, patch_sample("In_1", seed=1, side=32))
    (other / "masks" / "In_1.png").replace(folder / "masks" / "In_1.png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "images" / "In_1.png").unlink(), "no images"),
        (lambda folder: (folder / "masks" / "In_1.png").unlink(), "no mask for"),
        (lambda folder: (folder / "images" / "In_1.png").write_bytes(b"\x89PNG"), "cannot read"),
        (shrink_mask, "should be"),
    ],
    ids=["no images", "no mask", "truncated", "other size"],
)
def test_a_folder_that_cannot_be_used_names_what_is_wrong(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    write_sample(tmp_path, patch_sample("In_1", seed=1))
    damage(tmp_path)
    with pytest.raises(DatasetError, match=message):
        load_samples(tmp_path)


def test_a_split_takes_the_same_share_of_every_class_whatever_the_order() -> None:
    names = [f"{kind}_{index}" for kind in ("In", "Pa", "Sc") for index in range(1, 41)]
    kept, held_out = split_samples(named(*names), 0.25)
    assert [sum(sample.name.startswith(kind) for sample in held_out) for kind in ("In", "Pa", "Sc")] == [
        10
    ] * 3
    assert sorted(sample.name for sample in kept + held_out) == sorted(names)
    again = split_samples(named(*reversed(names)), 0.25)[1]
    assert {sample.name for sample in again} == {sample.name for sample in held_out}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_one_picture_with_two_masks_falls_on_one_side(share: float) -> None:
    kept, held_out = split_samples(named(*(f"Pa_{index}" for index in range(90, 120))), share)
    for name, twin in SAME_PICTURES.items():
        for side in (kept, held_out):
            names = {sample.name for sample in side}
            assert (name in names) == (twin in names)
