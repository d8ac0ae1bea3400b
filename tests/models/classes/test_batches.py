from __future__ import annotations

from typing import Any

import pytest

from models.classes.batches import ClassBatches
from models.errors import TrainingError
from tests.models.classes.steel import labelled, recipe_of

IMAGES = [labelled("1", "dark"), labelled("2", "bright")]


@pytest.mark.parametrize("step", [{"kind": "share-crop"}, {"kind": "zoom-crop", "size_px": 100}], ids=str)
def test_augmentation_that_leaves_another_size_is_refused(step: dict[str, Any]) -> None:
    batches = ClassBatches(recipe_of(augmentation=[step], batch=32), IMAGES)
    with pytest.raises(TrainingError, match=r"expected augmented crops \(128, 128\), got \(1"):
        batches.batch(0)


def test_augmentation_that_keeps_the_size_is_not() -> None:
    steps = [{"kind": "share-crop"}, {"kind": "resize", "size_px": 128}]
    assert ClassBatches(recipe_of(augmentation=steps), IMAGES).batch(0).crops.shape == (4, 2, 128, 128)
