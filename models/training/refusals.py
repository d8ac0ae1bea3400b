"""What never trains: the images that are there to report on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from models.data.splits import Item
from models.errors import TrainingError

TEST_FOLDER = "test"

_SD_SALIENCY_NAME = re.compile(r"^(?:In|Pa|Sc)_(\d{1,3})$")
_SD_SALIENCY_LAST = 300
_FIRST_TEST_NUMBER = 61


def without_test_images(folders: Sequence[Path], found_in: Callable[[Path], list[Item]]) -> list[Item]:
    """Return what is found in folders, one after another.

    Raises:
        TrainingError: a folder that holds test images.
    """
    items: list[Item] = []
    for folder in folders:
        found = found_in(folder)
        _refuse_test_images(folder, [item.name for item in found])
        items += found
    return items


def _refuse_test_images(folder: Path, names: Sequence[str]) -> None:
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
