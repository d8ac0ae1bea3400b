"""Images and masks as a torch dataset, each sample augmented by its own stream of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.data.folders import Sample
from models.data.seeding import Draw, generator_of
from models.data.sources import Source
from models.data.steps import Step, TrainingPair, compose
from models.errors import DatasetError


@dataclass(frozen=True)
class SaliencyItem:
    """One augmented sample.

    Attributes:
        image: (H, W) float32, grey, 0 to 255.
        mask: (1, H, W) float32, 0 to 1.
        name: of the sample.
        index: of the sample in its dataset.
        epoch: that it was augmented for.
    """

    image: Tensor
    mask: Tensor
    name: str
    index: int
    epoch: int


class SaliencyDataset(Dataset[SaliencyItem]):
    """Samples that come out the same for a seed, an epoch and an index, in whatever process they are made.

    Args:
        sources: the samples; `folder_sources` finds those of folders.
        steps: augmentation, in order.
        seed: of all augmentation.
        cache: read all files now and keep them, grey and 8-bit; worker processes that fork share them.

    Raises:
        DatasetError: no samples, or, with the cache, a file that cannot be used.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        steps: Sequence[Step] = (),
        *,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        if not sources:
            raise DatasetError("a dataset needs at least one sample, got none")
        self.sources = tuple(sources)
        self.seed = seed
        self.steps = tuple(steps)
        self._cached = [source.load() for source in self.sources] if cache else None
        # Shared memory: workers that outlive an epoch must hear of the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """The epoch that samples are augmented for, from 0."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Augment for another epoch from now on, in worker processes too."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> SaliencyItem:
        sample, epoch = self._load(index), self.epoch
        generator = generator_of(Draw.AUGMENTATION, self.seed, epoch, index)
        image, mask = compose(self.steps)(TrainingPair.of(sample), generator)
        return SaliencyItem(
            torch.from_numpy(np.ascontiguousarray(image)),
            torch.from_numpy(np.ascontiguousarray(mask)).unsqueeze(0),
            sample.name,
            index,
            epoch,
        )

    def _load(self, index: int) -> Sample:
        return self._cached[index] if self._cached is not None else self.sources[index].load()
