"""The data of a classifier's training: read, given maps, split, and never those of a test set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.classes.images import LabelledImage, Side, read_labelled, split_images, with_maps
from models.classes.maps import KeptMaps
from models.classes.recipe import ClassRecipe
from models.errors import TrainingError
from models.segmenter import Segmenter
from models.training.record import DIGEST_BYTES
from models.training.refusals import without_test_images


@dataclass(frozen=True)
class ClassData:
    """Images by what they are for.

    Attributes:
        train: move the weights.
        validation: calibrate.
        held_back: report; without maps, which training has no use for.
        source: where they are from, for the weights' metadata.
    """

    train: Sequence[LabelledImage]
    validation: Sequence[LabelledImage]
    held_back: Sequence[LabelledImage]
    source: str

    @cached_property
    def digest(self) -> str:
        """16 hex digits over all that trains and calibrates."""
        state = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for part in (self.train, self.validation):
            state.update(f"{len(part)}".encode())
            for image in part:
                state.update(f"{image.name}{image.defect_class}{image.pixels.shape}".encode())
                for plane in (image.pixels, *image.masks):
                    state.update(plane.tobytes())
        return state.hexdigest()

    @property
    def description(self) -> str:
        """What trained, in words, with the digest of all of it."""
        counts = f"{len(self.train)} images, calibrated on {len(self.validation)}"
        return f"{counts}, of {self.source}, digest {self.digest}"


@dataclass(frozen=True)
class Steel:
    """Real images as they were read.

    Attributes:
        sides: images by what they are for.
        folders: their names.
    """

    sides: Mapping[Side, Sequence[LabelledImage]]
    folders: Sequence[str]


def read_steel(recipe: ClassRecipe, folders: Sequence[Path], pinned: Mapping[str, Side]) -> Steel:
    """Read real steel and split it.

    Args:
        recipe: labels and shares.
        folders: of labelled images.
        pinned: side of some images by name, whatever the shares say: simulated strip is made of them.

    Raises:
        DatasetError: a folder that cannot be used.
        TrainingError: test images, or a class without an image to train on or to calibrate by.
    """
    images = without_test_images(folders, lambda folder: read_labelled(folder, recipe.labels))
    sides = split_images(images, recipe.labels, recipe.block, pinned)
    for side in ("train", "validation"):
        missing = set(recipe.classes) - {image.defect_class for image in sides[side]}
        if missing:
            raise TrainingError(f"expected images of every class for {side}, got none of {sorted(missing)}")
    return Steel(sides, ["/".join(folder.resolve().parts[-2:]) for folder in folders])


def gather_classes(
    recipe: ClassRecipe,
    steel: Steel,
    strip: Path | None,
    kept_maps: Path,
    on_map: Callable[[int, int], None] | None = None,
) -> ClassData:
    """Mark what a classifier trains on.

    Args:
        recipe: labels and networks that make maps.
        steel: real images.
        strip: of findings of simulated strip, all of which train.
        kept_maps: folder of the maps that are made, or were by a run that was cut off.
        on_map: called with the images that are marked, and how many there are.

    Raises:
        DatasetError: a folder that cannot be used.
        WeightsError: no weights of the recipe's map models.
    """
    planted = read_labelled(strip, recipe.labels) if strip else []
    segmenters = [Segmenter.open(model, precision="fp32") for model in recipe.map_models]
    maps = [KeptMaps(one.segment_image, kept_maps / f"{one.name}-{one.digest}") for one in segmenters]
    bare = [*steel.sides["train"], *steel.sides["validation"]]
    marked: list[LabelledImage] = []
    for image in bare:
        marked += with_maps([image], maps)
        if on_map:
            on_map(len(marked), len(bare))
    trains = len(steel.sides["train"])
    findings = [f"{len(planted)} findings of simulated strip"] if planted else []
    return ClassData(
        train=[*marked[:trains], *planted],
        validation=marked[trains:],
        held_back=steel.sides["held back"],
        source=", ".join([*steel.folders, *findings]),
    )
