"""The samples of a run: read, split, and never those of a test set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.data.folders import MARKED_OVER, Sample, load_samples, load_unlabelled
from models.data.sources import Source, folder_sources, with_noisy_copies
from models.data.splits import split_block_fold, split_blocks, split_fold, split_samples
from models.errors import DatasetError, TrainingError
from models.image_files import read_mask
from models.training.frames import load_frames, split_frames, tiles_of
from models.training.recipe import Recipe
from models.training.record import DIGEST_BYTES
from models.training.refusals import without_test_images
from models.training.scoring import SIZE_PX
from models.training.structure import start_of


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
        start: version and digest of the weights that training goes on from, for the same.
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
    start: str = ""

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
        state.update(self.start.encode())
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
        if self.start:
            text += f" from {self.start} on"
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
    frame_sources, held_out_frames = split_frames(recipe, frames) if recipe.needs_frames else ([], [])
    data = TrainingData(
        [source.load() for source in training],
        [source.load() for source in held_out],
        strip[:first_held_out],
        strip[first_held_out:],
        load_frames(frame_sources, max(SIZE_PX, *(phase.size_px for phase in recipe.phases))),
        tiles_of(load_frames(held_out_frames)),
        _unlabelled(recipe, unlabelled) if recipe.needs_teacher else [],
        source,
        start=start_of(recipe),
    )
    taught_or_planted = recipe.needs_teacher or _any_marked(data.strip) or _any_marked(data.frames)
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
    sources = without_test_images([steel], folder_sources)
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


def _strip(recipe: Recipe, folders: Sequence[Path]) -> list[Sample]:
    if not folders:
        raise DatasetError(
            f"recipe {recipe.name} trains on simulated strip: expected a folder of it, got none"
        )
    samples = without_test_images(folders, load_samples)
    if len(samples) <= recipe.held_out_strip_tiles:
        raise DatasetError(
            f"expected more than the {recipe.held_out_strip_tiles} strip tiles that are held out, "
            f"got {len(samples)}"
        )
    return samples


def _unlabelled(recipe: Recipe, folders: Sequence[Path]) -> list[Sample]:
    if not folders:
        raise DatasetError(f"recipe {recipe.name} trains on unlabelled steel: expected a folder, got none")
    return without_test_images(folders, load_unlabelled)
