"""Whole frames of a real line: read, split by frame, and cut into the tiles that are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.data.folders import Sample, load_sample
from models.data.sources import Source, folder_sources
from models.data.splits import split_frames_of_line
from models.errors import DatasetError, TrainingError
from models.image_files import shown, stored
from models.tiling import cut, mirrored
from models.training.recipe import Recipe
from models.training.refusals import without_test_images
from models.training.scoring import SIZE_PX

TILE_OVERLAP_PX = 32
"""As inspection overlaps them unless it is told otherwise."""
MAX_HELD_OUT_TILES = 200
"""That are scored, drawn from all: scoring must not take longer than what lies between."""


def split_frames(recipe: Recipe, folders: Sequence[Path]) -> tuple[list[Source], list[Source]]:
    """Part folders of frames by names: what trains, and what is scored; files are looked at, no pixels read.

    Raises:
        DatasetError: no folder, one without images, a mask that is missing, of another size, or in a format
            that may lose pixels.
        ImageFileError: a file that is no image.
        TrainingError: test images, or a split that leaves no frame on a side.
    """
    if not folders:
        raise DatasetError(f"recipe {recipe.name} trains on frames of a line: expected a folder, got none")
    sources = without_test_images(folders, folder_sources)
    for source in sources:
        _check(source)
    share = recipe.held_out_frames_share
    training, held_out = split_frames_of_line(sources, share)
    if not training or (share and not held_out):
        raise TrainingError(
            f"expected frames to train on and, at a held_out_frames_share of {share}, frames to score, "
            f"got {len(training)} and {len(held_out)} of {len(sources)}"
        )
    return training, held_out


def load_frames(sources: Sequence[Source], least_px: int = SIZE_PX) -> list[Sample]:
    """Read frames whose masks mark by any level but 0, as class numbers do.

    Args:
        sources: of the frames.
        least_px: side up to which smaller frames are mirrored, as inspection does up to a tile.

    Raises:
        DatasetError: masks that leave no pixel clean.
        ImageFileError: a file that cannot be read, or of pixels that training does not take.
    """
    frames = [load_sample(source.image, source.mask, marked_over=0) for source in sources]
    if frames and all(frame.mask.all() for frame in frames):
        raise DatasetError("expected masks of frames that are 0 where the strip is clean, got no pixel of 0")
    return [
        replace(frame, image=mirrored(frame.image, least_px), mask=mirrored(frame.mask, least_px))
        for frame in frames
    ]


def tiles_of(frames: Sequence[Sample]) -> list[Sample]:
    """Cut whole frames into tiles, those beside the strip among them."""
    tiles = []
    for frame in frames:
        images, masks = (cut(plane, SIZE_PX, TILE_OVERLAP_PX) for plane in (frame.image, frame.mask))
        tiles += [
            Sample(f"{frame.name} at {row}, {column}", image, mask)
            for (row, column), image, mask in zip(images.places, images.tiles, masks.tiles, strict=True)
        ]
    drawn = np.random.default_rng(0).permutation(len(tiles))[:MAX_HELD_OUT_TILES]
    return [tiles[index] for index in sorted(drawn)]


def _check(source: Source) -> None:
    image, mask = stored(source.image), stored(source.mask)
    if mask.lossy:
        raise DatasetError(
            f"{shown(source.mask)}: expected a format that loses no pixels, as PNG, since any level but 0 "
            f"marks in the mask of a frame, got {mask.kind}"
        )
    if image.size != mask.size:
        raise DatasetError(f"mask of {shown(source.image)} should be {image.size}, is {mask.size}")
