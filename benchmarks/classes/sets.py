"""The held-back images that a classifier is judged on; none of them trained it or calibrated it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.protocols import TEST_FOLDER
from ingest.simulation import write_defects
from models.classes.crops import Grey
from models.classes.images import LabelledImage, read_labelled, split_images, with_maps
from models.classes.recipe import ClassRecipe
from models.data.folders import load_unlabelled
from orchestration.cli.class_training import pinned_sides

HOT_ROLLED = Path("steel-unlabelled") / "hot-rolled"
NEU = Path("steel-unlabelled") / "neu-other"
STEEL_TITLE = "SD-saliency-900, 180 test images"
STRANGE = {
    "crazing": "NEU-DET, crazing",
    "pitted_surface": "NEU-DET, pitted surface",
    "rolled-in_scale": "NEU-DET, rolled-in scale",
}
"""By the beginning of their file names: defects of no class here, the last one kin of the oxide scales."""

STRANGE_IMAGES = 60
"""Of each: evenly over the files, enough for a share."""

PLANTED = 240
PLANTED_SEED = 2

MapOf = Callable[[Grey], NDArray[np.uint8]]


@dataclass(frozen=True)
class JudgedSet:
    """Images, and where their findings come from.

    Attributes:
        key: short name.
        title: for a table.
        load: reads the images; strange ones have the class "".
    """

    key: str
    title: str
    load: Callable[[], list[LabelledImage]]


def judged_sets(data: Path, recipe: ClassRecipe, maps: Mapping[str, MapOf]) -> list[JudgedSet]:
    """The sets.

    Args:
        data: folder of the data sets.
        recipe: whose labels and split count.
        maps: functions that make saliency maps, by the name of the network.
    """
    steel = partial(read_labelled, data / TEST_FOLDER, recipe.labels)
    sets = [JudgedSet("steel-masks", f"{STEEL_TITLE}, their masks", steel)]
    for name, map_of in maps.items():
        sets += [
            JudgedSet(f"steel-{name}", f"{STEEL_TITLE}, maps of {name}", partial(_mapped, steel, map_of)),
            JudgedSet(
                f"hot-rolled-{name}",
                f"X-SDD, held back, maps of {name}",
                partial(_mapped, partial(_held_back, data, recipe), map_of),
            ),
        ]
    sets.append(
        JudgedSet("planted", "simulated strip, judging crops, their masks", partial(_planted, recipe))
    )
    first = next(iter(maps.values()))
    sets += [
        JudgedSet(name, title, partial(_strange, data / NEU, name, first)) for name, title in STRANGE.items()
    ]
    return sets


def _mapped(load: Callable[[], list[LabelledImage]], map_of: MapOf) -> list[LabelledImage]:
    bare = [LabelledImage(one.name, one.label, one.defect_class, one.pixels) for one in load()]
    return with_maps(bare, [map_of])


def _held_back(data: Path, recipe: ClassRecipe) -> list[LabelledImage]:
    images = read_labelled(data / HOT_ROLLED, recipe.labels)
    return split_images(images, recipe.labels, recipe.block, pinned_sides())["held back"]


def _planted(recipe: ClassRecipe) -> list[LabelledImage]:
    with tempfile.TemporaryDirectory() as scratch:
        write_defects(Path(scratch), defects=PLANTED, seed=PLANTED_SEED, half="judge")
        return read_labelled(Path(scratch), recipe.labels)


def _strange(folder: Path, name: str, map_of: MapOf) -> list[LabelledImage]:
    samples = [sample for sample in load_unlabelled(folder) if sample.name.startswith(name)]
    chosen = samples[:: max(1, len(samples) // STRANGE_IMAGES)]
    return with_maps([LabelledImage(one.name, "", "", one.image) for one in chosen], [map_of])
