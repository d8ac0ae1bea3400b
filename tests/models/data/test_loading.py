from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.data.dataset import SaliencyDataset
from models.data.loading import SCFNET_SIZES_PX, MultiScale, SaliencyBatch, collate, training_loader
from models.data.sources import folder_sources, with_noisy_copies
from models.data.steps import PUBLISHED_STEPS
from models.errors import DatasetError
from tests.models.samples import patch_sample, write_sample


@pytest.fixture
def dataset(tmp_path: Path) -> SaliencyDataset:
    for index in range(6):
        write_sample(tmp_path, patch_sample(f"In_{index}", seed=index))
    sources = with_noisy_copies(folder_sources(tmp_path))
    return SaliencyDataset(sources, PUBLISHED_STEPS["scfnet"], seed=5)


def two_epochs(dataset: SaliencyDataset, workers: int) -> list[SaliencyBatch]:
    loader = training_loader(dataset, 2, workers=workers, collate=MultiScale((32, 48, 64), seed=5))
    batches: list[SaliencyBatch] = []
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        batches += list(loader)
    return batches


def test_a_run_repeats_whatever_the_number_of_workers(dataset: SaliencyDataset) -> None:
    alone, shared = two_epochs(dataset, workers=0), two_epochs(dataset, workers=2)
    assert len(alone) == len(shared) == 10
    for ours, theirs in zip(alone, shared, strict=True):
        assert ours.names == theirs.names
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.masks, theirs.masks)


def test_every_epoch_shows_every_sample_in_an_order_of_its_own(dataset: SaliencyDataset) -> None:
    batches = two_epochs(dataset, workers=0)
    first, second = ([name for batch in part for name in batch.names] for part in (batches[:5], batches[5:]))
    assert sorted(first) == sorted(second) == sorted(source.name for source in dataset.sources)
    assert first != second
    assert any(
        not torch.equal(one.images, two.images) for one, two in zip(batches, batches[5:], strict=False)
    )


def test_batches_of_any_size_become_one_square_each(dataset: SaliencyDataset) -> None:
    for batch in two_epochs(dataset, workers=0):
        count, side = len(batch.names), batch.images.shape[-1]
        assert side in {32, 48, 64}
        assert batch.images.shape == (count, side, side)
        assert batch.masks.shape == (count, 1, side, side)
        assert batch.images.max() <= 255
        assert 0 <= batch.masks.min() <= batch.masks.max() <= 1


def test_published_sizes_are_all_drawn_and_by_epoch_and_batch_alone() -> None:
    scale = MultiScale(seed=1)
    sides = [scale.size_px(epoch, index) for epoch in range(10) for index in range(10)]
    assert set(sides) == set(SCFNET_SIZES_PX)
    again = MultiScale(seed=1)
    assert sides == [again.size_px(epoch, index) for epoch in range(10) for index in range(10)]
    assert sides != [MultiScale(seed=2).size_px(epoch, index) for epoch in range(10) for index in range(10)]


def test_the_last_batch_may_be_left_out(dataset: SaliencyDataset) -> None:
    loader = training_loader(dataset, 4, collate=MultiScale((32,)), drop_last=True)
    assert [len(batch.names) for batch in loader] == [4, 4]


def test_sizes_that_differ_do_not_stack(tmp_path: Path) -> None:
    for index, side in enumerate((32, 40)):
        write_sample(tmp_path, patch_sample(f"In_{index}", seed=index, side=side))
    dataset = SaliencyDataset(folder_sources(tmp_path))
    with pytest.raises(DatasetError, match=r"got \[\(32, 32\), \(40, 40\)\]"):
        collate([dataset[0], dataset[1]])
    assert collate([dataset[0]]).images.shape == (1, 32, 32)
