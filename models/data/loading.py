"""Batches of a dataset, the same for a seed and an epoch whatever the number of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler

from models.data.dataset import SaliencyDataset, SaliencyItem
from models.data.seeding import Draw, generator_of
from models.errors import DatasetError

SCFNET_SIZES_PX = (224, 256, 288, 320, 352)
"""Sides that KD-SCFNet resizes its batches to."""


class SaliencyBatch(NamedTuple):
    """Augmented samples of one size.

    Attributes:
        images: (N, H, W) float32, grey, 0 to 255.
        masks: (N, 1, H, W) float32, 0 to 1.
        names: of the samples.
    """

    images: Tensor
    masks: Tensor
    names: tuple[str, ...]


Collate = Callable[[Sequence[SaliencyItem]], SaliencyBatch]


def collate(items: Sequence[SaliencyItem]) -> SaliencyBatch:
    """Stack samples.

    Raises:
        DatasetError: their sizes differ.
    """
    sizes = {tuple(item.image.shape) for item in items}
    if len(sizes) > 1:
        raise DatasetError(f"expected one size in a batch, got {sorted(sizes)}: resize, or use MultiScale")
    return SaliencyBatch(
        torch.stack([item.image for item in items]),
        torch.stack([item.mask for item in items]),
        tuple(item.name for item in items),
    )


class MultiScale:
    """KD-SCFNet's batches: samples of any size, all resized to one square that is drawn for each batch.

    Images and masks are resized bilinearly, so masks come out soft.

    Args:
        sizes_px: sides to draw from; each must suit the network's size multiple.
        seed: of the draw.
    """

    def __init__(self, sizes_px: Sequence[int] = SCFNET_SIZES_PX, *, seed: int = 0) -> None:
        self.sizes_px = tuple(sizes_px)
        self.seed = seed

    def size_px(self, epoch: int, first_index: int) -> int:
        """Return the side of the batch whose first sample has this index."""
        generator = generator_of(Draw.BATCH_SIZE, self.seed, epoch, first_index)
        return self.sizes_px[int(generator.integers(len(self.sizes_px)))]

    def __call__(self, items: Sequence[SaliencyItem]) -> SaliencyBatch:
        side = self.size_px(items[0].epoch, items[0].index)
        return collate(
            [
                replace(item, image=_resized(item.image[None], side)[0], mask=_resized(item.mask, side))
                for item in items
            ]
        )


class EpochOrder(Sampler[int]):
    """A new order of the samples every epoch, from the dataset's seed and epoch alone."""

    def __init__(self, dataset: SaliencyDataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __iter__(self) -> Iterator[int]:
        generator = generator_of(Draw.ORDER, self._dataset.seed, self._dataset.epoch)
        yield from generator.permutation(len(self._dataset)).tolist()


def training_loader(
    dataset: SaliencyDataset,
    batch: int,
    *,
    workers: int = 0,
    collate: Collate = collate,
    drop_last: bool = False,
) -> DataLoader[SaliencyItem]:
    """Return a loader whose batches (`SaliencyBatch`) repeat; call `dataset.set_epoch` before each pass.

    Args:
        dataset: of augmented samples.
        batch: samples in a batch.
        workers: processes beside this one; they stay from pass to pass.
        collate: makes a batch; `MultiScale` for batches of varying size.
        drop_last: leave out a last batch that is not full.
    """
    return DataLoader(
        dataset,
        batch_size=batch,
        sampler=EpochOrder(dataset),
        num_workers=workers,
        collate_fn=collate,
        drop_last=drop_last,
        persistent_workers=workers > 0,
        worker_init_fn=_one_thread,
    )


def _one_thread(_: int) -> None:
    # A forked process has the memory of OpenCV's threads but not the threads, and would wait for them.
    cv2.setNumThreads(0)


def _resized(planes: Tensor, side: int) -> Tensor:
    return functional.interpolate(planes[None], size=(side, side), mode="bilinear", align_corners=False)[0]
