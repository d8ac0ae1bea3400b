from collections.abc import Callable

import numpy as np
import pytest

from models.data.folders import Sample, class_of
from models.data.splits import SAME_PICTURES, split_block_fold, split_blocks, split_fold, split_samples

SD_SALIENCY_TRAIN = [
    f"{kind}_{100 * hundred + number}"
    for kind in ("In", "Pa", "Sc")
    for hundred in range(3)
    for number in range(1, 61)
]


FoldSplit = Callable[[list[Sample], int, int], tuple[list[Sample], list[Sample]]]


def named(*names: str) -> list[Sample]:
    blank = np.zeros((4, 4), dtype=np.uint8)
    return [Sample(name, blank, blank) for name in names]


def names_of(samples: list[Sample]) -> set[str]:
    return {sample.name for sample in samples}


def test_a_split_takes_the_same_share_of_every_class_whatever_the_order() -> None:
    names = [f"{kind}_{index}" for kind in ("In", "Pa", "Sc") for index in range(1, 41)]
    kept, held_out = split_samples(named(*names), 0.25)
    assert [sum(class_of(sample.name) == kind for sample in held_out) for kind in ("In", "Pa", "Sc")] == [
        10
    ] * 3
    assert sorted(sample.name for sample in kept + held_out) == sorted(names)
    assert names_of(split_samples(named(*reversed(names)), 0.25)[1]) == names_of(held_out)


def test_a_fifth_of_the_training_images_is_432_and_108() -> None:
    kept, held_out = split_samples(named(*SD_SALIENCY_TRAIN), 0.2)
    assert (len(kept), len(held_out)) == (432, 108)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_one_picture_with_two_masks_falls_on_one_side(share: float) -> None:
    kept, held_out = split_samples(named(*(f"Pa_{index}" for index in range(90, 120))), share)
    for name, twin in SAME_PICTURES.items():
        for side in (kept, held_out):
            assert (name in names_of(side)) == (twin in names_of(side))


@pytest.mark.parametrize("folds", [2, 5, 7, 10])
@pytest.mark.parametrize("split", [split_fold, split_block_fold])
def test_every_sample_is_held_out_in_exactly_one_fold(split: FoldSplit, folds: int) -> None:
    samples = named(*SD_SALIENCY_TRAIN)
    parts = [split(samples, fold, folds) for fold in range(folds)]
    held_out = [sample.name for _, part in parts for sample in part]
    assert sorted(held_out) == sorted(SD_SALIENCY_TRAIN)
    for kept, part in parts:
        assert names_of(kept) == set(SD_SALIENCY_TRAIN) - names_of(part)
        assert abs(len(part) - len(samples) / folds) <= 9
        assert ("Pa_101" in names_of(part)) == ("Pa_105" in names_of(part))


def test_folds_of_blocks_are_stretches_of_numbers() -> None:
    samples = named(*(f"In_{number}" for number in (*range(1, 11), *range(101, 106))))
    kept, held_out = split_block_fold(list(reversed(samples)), 1, 5)
    assert [sample.name for sample in held_out] == ["In_102", "In_4", "In_3"]
    assert len(kept) == 12


def test_a_second_mask_of_a_picture_that_is_not_there_is_held_out_once() -> None:
    samples = named(*(f"Pa_{number}" for number in range(102, 112)))
    held_out = [name for fold in range(5) for name in names_of(split_block_fold(samples, fold, 5)[1])]
    assert sorted(held_out) == sorted(names_of(samples))


@pytest.mark.parametrize(("share", "last"), [(0.05, 3), (0.2, 12)])
def test_blocks_are_the_ends_of_stretches_of_numbers_whatever_the_order(share: float, last: int) -> None:
    kept, held_out = split_blocks(named(*reversed(SD_SALIENCY_TRAIN)), share)
    numbers = [100 * hundred + number for hundred in range(3) for number in range(61 - last, 61)]
    expected = {f"{kind}_{number}" for kind in ("In", "Pa", "Sc") for number in numbers}
    assert names_of(held_out) == expected
    assert names_of(kept) == set(SD_SALIENCY_TRAIN) - expected


def test_samples_without_numbers_are_split_as_well() -> None:
    kept, held_out = split_blocks(named("a", "b", "c_1", "c_2", "c_7", "c_8"), 0.5)
    assert names_of(held_out) == {"b", "c_2", "c_8"}
    assert names_of(kept) == {"a", "c_1", "c_7"}


def test_what_is_numbered_alike_under_other_names_makes_stretches_of_its_own() -> None:
    samples = named(*(f"{side}-{number}" for side in ("left", "right") for number in range(1, 11)))
    assert names_of(split_blocks(samples, 0.2)[1]) == {"left-9", "left-10", "right-9", "right-10"}
    assert names_of(split_block_fold(samples, 0, 5)[1]) == {"left-1", "left-2", "right-1", "right-2"}


def test_names_of_numbers_alone_are_no_stretch_with_those_that_have_none() -> None:
    assert names_of(split_blocks(named("a", "b", "2", "3", "4", "5"), 0.5)[1]) == {"b", "4", "5"}
