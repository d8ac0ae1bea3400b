from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from models.data.folders import Sample
from models.data.loading import (
    SCFNET_SIZES_PX,
    MultiScale,
    SaliencyBatch,
    SaliencyItem,
    collate,
    step_loader,
)
from models.errors import DatasetError
from tests.models.samples import patch_sample


def item(sample: Sample) -> SaliencyItem:
    image = torch.from_numpy(sample.image.astype(np.float32))
    return SaliencyItem(image, torch.from_numpy(sample.mask[None].astype(np.float32) / 255), sample.name)


class Numbered(Dataset[SaliencyBatch]):
    """Batches that show their number."""

    def __getitem__(self, step: int) -> SaliencyBatch:
        return SaliencyBatch(torch.full((2, 4, 4), float(step)), torch.zeros(2, 1, 4, 4), (f"{step}",) * 2)


# PyTorch warns where there are fewer cores than such processes.
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_the_order_of_their_steps_whatever_the_number_of_workers(workers: int) -> None:
    batches = list(step_loader(Numbered(), range(3, 12), workers=workers))
    assert [int(batch.images[0, 0, 0]) for batch in batches] == list(range(3, 12))
    assert [batch.names for batch in batches] == [(f"{step}",) * 2 for step in range(3, 12)]


def test_samples_of_any_size_become_one_square() -> None:
    items = [item(patch_sample(f"In_{side}", seed=side, side=side)) for side in (40, 64)]
    scale = MultiScale((32, 48, 96), seed=5)
    for step in range(6):
        batch = scale.batch(items, step)
        side = scale.size_px(step)
        assert batch.images.shape == (2, side, side)
        assert batch.masks.shape == (2, 1, side, side)
        assert batch.names == ("In_40", "In_64")
        assert batch.images.max() <= 255
        assert 0 <= batch.masks.min() < batch.masks.max() <= 1


def test_published_sizes_are_all_drawn_and_by_seed_and_step_alone() -> None:
    sides = [MultiScale(seed=1).size_px(step) for step in range(100)]
    assert set(sides) == set(SCFNET_SIZES_PX)
    assert sides == [MultiScale(seed=1).size_px(step) for step in range(100)]
    assert sides != [MultiScale(seed=2).size_px(step) for step in range(100)]


def test_sizes_that_differ_do_not_stack() -> None:
    items = [item(patch_sample(f"In_{side}", seed=side, side=side)) for side in (32, 40)]
    with pytest.raises(DatasetError, match=r"got \[\(32, 32\), \(40, 40\)\]"):
        collate(items)
    assert collate(items[:1]).images.shape == (1, 32, 32)
