"""Where the samples of a dataset come from: files, and noise that stays with a sample as if on file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.data.folders import Sample, class_of, load_sample, pair_files
from models.data.steps.noise import NOISE_PROTOCOLS, Noise
from models.data.steps.step import TrainingPair


@dataclass(frozen=True)
class Source:
    """An image, its mask, and the noise on the image, the same in every epoch.

    Attributes:
        image: path.
        mask: path; the mask stays clean.
        noise: put on the image; none leaves it as it is.
        noise_seed: of that noise.
    """

    image: Path
    mask: Path
    noise: Noise | None = None
    noise_seed: int = 0

    @property
    def name(self) -> str:
        """The image's stem, with the noise that is on it."""
        return self.image.stem if self.noise is None else f"{self.image.stem}+{self.noise.kind}"

    def load(self) -> Sample:
        """Read the files and put the noise on.

        Raises:
            DatasetError: a mask of another size.
            ImageFileError: a file that cannot be read, or of pixels that training does not take.
        """
        sample = load_sample(self.image, self.mask)
        if self.noise is None:
            return sample
        noisy = self.noise.apply(TrainingPair.of(sample), np.random.default_rng(self.noise_seed)).image
        return Sample(self.name, noisy.astype(np.uint8), sample.mask)


def folder_sources(*folders: Path) -> list[Source]:
    """Return the samples of folders that each hold `images` and `masks`, sorted by name in each.

    Raises:
        DatasetError: a folder without images, or a missing mask.
    """
    return [Source(image, mask) for folder in folders for image, mask in pair_files(folder)]


def with_noise(sources: Iterable[Source], noise: Noise, seed: int = 0) -> list[Source]:
    """Return the same samples, all under one noise protocol: noisy test images."""
    return [replace(source, noise=noise, noise_seed=_draw(source, seed)) for source in sources]


def with_noisy_copies(
    sources: Sequence[Source],
    share: float = 0.5,
    protocols: Sequence[Noise] = NOISE_PROTOCOLS,
    seed: int = 0,
) -> list[Source]:
    """Return the samples and, after them, noisy copies of a share of every class, each with its clean mask.

    CAT-EDNet's noise-robust training pairs: of 540 images 270 copies, 90 of every class, 810 in all. The
    protocols take turns inside a class. Which images are copied, and their noise, depends on names and seed
    alone.

    Args:
        sources: clean images.
        share: of every class, 0 to 1.
        protocols: the noise of the copies.
        seed: of the choice and the noise.
    """
    classes: dict[str, list[Source]] = {}
    for source in sources:
        classes.setdefault(class_of(source.name), []).append(source)
    copies: list[Source] = []
    for _, members in sorted(classes.items()):
        ranked = sorted(members, key=lambda source: _draw(source, seed))
        for turn, source in enumerate(ranked[: round(share * len(ranked))]):
            noise = protocols[turn % len(protocols)]
            copies.append(replace(source, noise=noise, noise_seed=_draw(source, seed)))
    return [*sources, *copies]


def _draw(source: Source, seed: int) -> int:
    """A number that looks random, from name and seed."""
    digest = hashlib.blake2b(f"{seed}/{source.image.stem}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
