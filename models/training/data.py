"""The samples of a run: read, split, and never those of a test set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from models.data.folders import MARKED_OVER, Sample, load_samples, load_unlabelled
from models.data.sources import Source, folder_sources, with_noisy_copies
from models.data.splits import split_block_fold, split_blocks, split_fold, split_samples
from models.errors import DatasetError, TrainingError
from models.image_files import read_mask, shown
from models.tiling import cut
from models.training.recipe import Recipe
from models.training.record import DIGEST_BYTES
from models.training.scoring import SIZE_PX

TEST_FOLDER = "test"
LOSSY = (".jpg", ".jpeg", ".webp")
TILE_OVERLAP_PX = 32
"""Of a held-out frame's tiles."""

_SD_SALIENCY_NAME = re.compile(r"^(?:In|Pa|Sc)_(\d{1,3})$")
_SD_SALIENCY_LAST = 300
_FIRST_TEST_NUMBER = 61


@dataclass(frozen=True)
class TrainingData:
    """Samples to train on and to choose by, real steel and simulated strip apart.

    Attributes:
        steel: trains.
        held_out_steel: chooses.
        strip: trains.
        held_out_strip: chooses.
        frames: of a real line, whole; trains.
        held_out_frames: tiles of other such frames, which are scored and choose nothing.
        unlabelled: trains by the maps of a teacher, soft, in the place of masks.
        source: where the steel is from, for the weights' metadata.
        teacher: version and digest of the weights whose maps those are, for the same.
    """

    steel: Sequence[Sample]
    held_out_steel: Sequence[Sample]
    strip: Sequence[Sample] = ()
    held_out_strip: Sequence[Sample] = ()
    frames: Sequence[Sample] = ()
    held_out_frames: Sequence[Sample] = ()
    unlabelled: Sequence[Sample] = ()
    source: str = "steel"
    teacher: str = ""

    @cached_property
    def digest(self) -> str:
        """16 hex digits over names and pixels: a run goes on with the data that it began with."""
        state = hashlib.blake2b(digest_size=DIGEST_BYTES)
        parts = [self.steel, self.held_out_steel, self.strip, self.held_out_strip, self.unlabelled]
        # Runs without frames go on that were begun before there were any.
        if self.frames:
            parts += [self.frames, self.held_out_frames]
        for part in parts:
            state.update(f"{len(part)}".encode())
            for sample in part:
                state.update(f"{sample.name}{sample.image.shape}".encode())
                state.update(sample.image.tobytes())
                state.update(sample.mask.tobytes())
        return state.hexdigest()

    def all_steel(self) -> list[Sample]:
        """What trains and what chooses."""
        return [*self.steel, *self.held_out_steel]

    def described(self, *, all_steel: bool = False) -> str:
        """Say what trained, the held-out steel at last too or not, with the digest of all of it."""
        text = f"{len(self.all_steel() if all_steel else self.steel)} images of {self.source}"
        if self.strip:
            text += f" and {len(self.strip)} tiles of simulated strip"
        if self.frames:
            text += f" and {len(self.frames)} frames of a real line"
        if self.unlabelled:
            text += f" and {len(self.unlabelled)} unlabelled images"
        if self.teacher:
            text += f" with maps of {self.teacher}"
        return f"{text}, digest {self.digest}"


def gather(
    recipe: Recipe,
    steel: Path,
    strips: Sequence[Path] = (),
    unlabelled: Sequence[Path] = (),
    frames: Sequence[Path] = (),
) -> TrainingData:
    """Read and split what a recipe trains on.

    Args:
        recipe: how to split.
        steel: folder of real steel, `images` and `masks`.
        strips: folders of simulated strip, read where the recipe needs strip.
        unlabelled: folders of images, with folders in them, read where the recipe needs a teacher.
        frames: folders of frames of a real line, `images` and `masks`, read where the recipe needs frames.

    Raises:
        DatasetError: a folder that cannot be used.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
        TrainingError: test images, or a split that leaves no sample to train on or to choose by, or none that
            is marked.
    """
    training, held_out = split_steel(recipe, steel)
    if recipe.noisy_copies:
        training = with_noisy_copies(training, recipe.noisy_copies, seed=recipe.seed)
    source = "/".join(steel.resolve().parts[-2:])
    strip = _strip(recipe, strips) if recipe.needs_strip else []
    first_held_out = max(0, len(strip) - recipe.held_out_strip_tiles)
    line, held_out_line = split_frames(recipe, frames) if recipe.needs_frames else ([], [])
    data = TrainingData(
        [source.load() for source in training],
        [source.load() for source in held_out],
        strip[:first_held_out],
        strip[first_held_out:],
        [_frame(source) for source in line],
        [tile for source in held_out_line for tile in _tiles(_frame(source))],
        _unlabelled(recipe, unlabelled) if recipe.needs_teacher else [],
        source,
    )
    taught_or_planted = recipe.needs_teacher or _any_marked(data.strip)
    _refuse_unmarked(f"{steel}, to train on", training, data.steel, clean_may_be=taught_or_planted)
    planted = _any_marked(data.held_out_strip)
    _refuse_unmarked(f"{steel}, to choose by", held_out, data.held_out_steel, clean_may_be=planted)
    return data


def split_steel(recipe: Recipe, steel: Path) -> tuple[list[Source], list[Source]]:
    """Part a folder of real steel by names alone: what trains, and what chooses.

    Raises:
        DatasetError: a folder without images, or a missing mask.
        TrainingError: test images, or a split that leaves no sample to train on or to choose by.
    """
    sources = folder_sources(steel)
    refuse_test_images(steel, [source.name for source in sources])
    if recipe.fold is not None:
        in_folds = split_block_fold if recipe.held_out == "blocks" else split_fold
        training, held_out = in_folds(sources, recipe.fold, recipe.folds)
    elif recipe.held_out == "blocks":
        training, held_out = split_blocks(sources, recipe.held_out_share)
    else:
        training, held_out = split_samples(sources, recipe.held_out_share)
    if not training or not held_out:
        raise TrainingError(
            f"{steel}: expected images to train on and images to choose by, "
            f"got {len(training)} and {len(held_out)} of {len(sources)}"
        )
    return training, held_out


def split_frames(recipe: Recipe, folders: Sequence[Path]) -> tuple[list[Source], list[Source]]:
    """Part folders of frames by names alone: what trains, and what is scored.

    Raises:
        DatasetError: no folder, one without images, or a missing mask.
        TrainingError: test images, or a split that leaves no frame to train on.
    """
    if not folders:
        raise DatasetError(f"recipe {recipe.name} trains on frames of a line: expected a folder, got none")
    sources = folder_sources(*folders)
    for folder in folders:
        refuse_test_images(folder, [source.name for source in sources])
    training, held_out = split_samples(sources, recipe.held_out_frames_share)
    if not training:
        raise TrainingError(f"expected frames to train on, got all {len(held_out)} held out")
    return training, held_out


def refuse_test_images(folder: Path, names: Sequence[str]) -> None:
    """Let nothing train on what is there to report on.

    SD-saliency-900's standard test split is numbers 61 to 100 of each hundred of a class.

    Args:
        folder: of the images.
        names: of the images.

    Raises:
        TrainingError: the folder is called `test`, or an image is of that split.
    """
    if folder.resolve().name == TEST_FOLDER:
        raise TrainingError(f"{folder} holds test images: expected a folder of training images")
    for name in names:
        match = _SD_SALIENCY_NAME.match(name)
        number = int(match.group(1)) if match else 0
        if 0 < number <= _SD_SALIENCY_LAST and (number - 1) % 100 + 1 >= _FIRST_TEST_NUMBER:
            raise TrainingError(
                f"{folder} holds test images: {name} is of SD-saliency-900's test split, which never trains"
            )


def _refuse_unmarked(
    what: str, sources: Sequence[Source], samples: Sequence[Sample], *, clean_may_be: bool
) -> None:
    """Let no run begin that would learn that nothing is a defect; clean steel has masks of 0 alone."""
    if _any_marked(samples):
        return
    highest = max(int(read_mask(source.mask).max()) for source in sources)
    if highest or not clean_may_be:
        raise TrainingError(
            f"{what}: expected masks marked above {MARKED_OVER}, got a highest value of {highest}"
        )


def _any_marked(samples: Sequence[Sample]) -> bool:
    return any(not sample.is_clean for sample in samples)


def _frame(source: Source) -> Sample:
    """Read a frame whose mask marks by any level but 0, as class numbers do."""
    if source.mask.suffix.lower() in LOSSY:
        raise DatasetError(
            f"{shown(source.mask)}: expected a mask without loss, since any level but 0 marks in a frame's"
        )
    sample, levels = source.load(), read_mask(source.mask)
    return replace(sample, mask=np.where(levels > 0, 255, 0).astype(np.uint8))


def _tiles(frame: Sample) -> list[Sample]:
    """A frame as inspection cuts it, what lies beside the strip included."""
    images, masks = (cut(plane, SIZE_PX, TILE_OVERLAP_PX) for plane in (frame.image, frame.mask))
    return [
        Sample(f"{frame.name} at {row}, {column}", image, mask)
        for (row, column), image, mask in zip(images.places, images.tiles, masks.tiles, strict=True)
    ]


def _strip(recipe: Recipe, folders: Sequence[Path]) -> list[Sample]:
    if not folders:
        raise DatasetError(
            f"recipe {recipe.name} trains on simulated strip: expected a folder of it, got none"
        )
    samples: list[Sample] = []
    for folder in folders:
        found = load_samples(folder)
        refuse_test_images(folder, [sample.name for sample in found])
        samples += found
    if len(samples) <= recipe.held_out_strip_tiles:
        raise DatasetError(
            f"expected more than the {recipe.held_out_strip_tiles} strip tiles that are held out, "
            f"got {len(samples)}"
        )
    return samples


def _unlabelled(recipe: Recipe, folders: Sequence[Path]) -> list[Sample]:
    if not folders:
        raise DatasetError(f"recipe {recipe.name} trains on unlabelled steel: expected a folder, got none")
    samples: list[Sample] = []
    for folder in folders:
        found = load_unlabelled(folder)
        refuse_test_images(folder, [sample.name for sample in found])
        samples += found
    return samples
