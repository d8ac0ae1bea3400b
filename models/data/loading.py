"""Augmented samples as batches, and batches as a loader gives them, whatever the number of its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from models.data.seeding import Draw, generator_of
from models.errors import DatasetError

SCFNET_SIZES_PX = (224, 256, 288, 320, 352)
"""Sides that KD-SCFNet resizes its batches to."""

BATCHES_AHEAD = 4
"""That each worker process has ready: enough for a device never to wait, few enough for memory."""


@dataclass(frozen=True)
class SaliencyItem:
    """One augmented sample.

    Attributes:
        image: (H, W) float32, grey, 0 to 255.
        mask: (1, H, W) float32, 0 to 1.
        name: of the sample.
    """

    image: Tensor
    mask: Tensor
    name: str


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

    def size_px(self, step: int) -> int:
        """Return the side of a step's batch."""
        return self.sizes_px[int(generator_of(Draw.BATCH_SIZE, self.seed, step).integers(len(self.sizes_px)))]

    def batch(self, items: Sequence[SaliencyItem], step: int) -> SaliencyBatch:
        """Return a step's batch of samples."""
        side = self.size_px(step)
        return collate(
            [
                replace(item, image=_resized(item.image[None], side)[0], mask=_resized(item.mask, side))
                for item in items
            ]
        )


def step_loader(
    batches: Dataset[SaliencyBatch], steps: range, *, workers: int = 0, pinned: bool = False
) -> DataLoader[SaliencyBatch]:
    """Return a loader of one batch per step, in the order of the steps.

    Args:
        batches: the batch of a step by the step's number, the same in whatever process it is made.
        steps: to be loaded.
        workers: processes beside this one that make batches ahead.
        pinned: in memory that a GPU copies from without waiting.
    """
    return DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=pinned,
        prefetch_factor=BATCHES_AHEAD if workers else None,
        worker_init_fn=_one_thread,
    )


def _as_it_is(batch: Any) -> Any:  # noqa: ANN401 - what the loader hands on
    return batch


def _one_thread(_: int) -> None:
    # A forked process has the memory of OpenCV's threads but not the threads, and would wait for them.
    cv2.setNumThreads(0)


def _resized(planes: Tensor, side: int) -> Tensor:
    return functional.interpolate(planes[None], size=(side, side), mode="bilinear", align_corners=False)[0]
