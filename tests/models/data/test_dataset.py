from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch

from models.data.dataset import SaliencyDataset, SaliencyItem
from models.data.sources import Source, folder_sources
from models.data.steps import PUBLISHED_STEPS, ContrastBrightness, EitherFlip
from models.errors import DatasetError
from models.networks.normalisation import network_input
from tests.models.samples import patch_sample, write_sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(5):
        write_sample(tmp_path, patch_sample(f"In_{index}", seed=index))
    return tmp_path


def equal(first: SaliencyItem, second: SaliencyItem) -> bool:
    return torch.equal(first.image, second.image) and torch.equal(first.mask, second.mask)


def test_without_steps_the_files_come_as_they_are(folder: Path) -> None:
    dataset = SaliencyDataset(folder_sources(folder))
    assert len(dataset) == 5
    item, sample = dataset[3], patch_sample("In_3", seed=3)
    assert (item.name, item.index, item.epoch) == ("In_3", 3, 0)
    assert item.image.dtype == item.mask.dtype == torch.float32
    assert item.image.shape == (64, 64)
    assert item.mask.shape == (1, 64, 64)
    assert np.array_equal(item.image.numpy(), sample.image)
    assert np.array_equal(item.mask[0].numpy(), sample.mask / 255)
    assert network_input(item.image[None]).shape == (1, 3, 64, 64)


def test_several_folders_and_single_pairs_are_sources_alike(folder: Path) -> None:
    sources = folder_sources(folder, folder)
    dataset = SaliencyDataset(
        [*sources, Source(folder / "images" / "In_4.png", folder / "masks" / "In_0.png")]
    )
    assert len(dataset) == 11
    assert np.array_equal(dataset[10].mask[0].numpy(), patch_sample("In_0", seed=0).mask / 255)


def test_seed_epoch_and_index_decide(folder: Path) -> None:
    steps = (*PUBLISHED_STEPS["csnet"], ContrastBrightness())
    dataset = SaliencyDataset(folder_sources(folder), steps, seed=3)
    first = dataset[2]
    for index in (4, 0, 1):
        assert dataset[index].index == index
    assert equal(dataset[2], first)
    dataset.set_epoch(1)
    assert dataset[2].epoch == dataset.epoch == 1
    assert not equal(dataset[2], first)
    dataset.set_epoch(0)
    assert equal(dataset[2], first)
    assert not equal(SaliencyDataset(folder_sources(folder), steps, seed=4)[2], first)


def test_like_samples_have_chances_of_their_own(folder: Path) -> None:
    sources = folder_sources(folder)
    dataset = SaliencyDataset([sources[0]] * 20, [EitherFlip()])
    assert len({dataset[index].image.numpy().tobytes() for index in range(20)}) == 3


def test_the_cache_changes_nothing_but_the_reading(folder: Path) -> None:
    sources, steps = folder_sources(folder), PUBLISHED_STEPS["csnet"]
    fresh = SaliencyDataset(sources, steps)
    cached = SaliencyDataset(sources, steps, cache=True)
    expected = [fresh[index] for index in range(5)]
    for source in sources:
        source.image.unlink()
    assert all(equal(cached[index], expected[index]) for index in range(5))
    with pytest.raises(DatasetError, match="cannot read image"):
        fresh[0]


def test_a_dataset_can_be_sent_to_a_process_that_does_not_fork(folder: Path) -> None:
    dataset = SaliencyDataset(folder_sources(folder), PUBLISHED_STEPS["csnet"], seed=2)
    copy = pickle.loads(ForkingPickler.dumps(dataset))  # noqa: S301 - our own bytes
    assert equal(copy[1], dataset[1])
    dataset.set_epoch(4)
    assert copy.epoch == 4


def test_no_samples_are_no_dataset() -> None:
    with pytest.raises(DatasetError, match="at least one"):
        SaliencyDataset([])
