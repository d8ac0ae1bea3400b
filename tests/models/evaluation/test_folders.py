from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.evaluation import evaluate_pairs, find_pairs, load_pair
from models.evaluation.tables import FIGURES
from models.metrics import Evaluation
from tests.models.evaluation.sets import mask_and_map, write, write_set


def test_a_folder_is_the_sum_of_its_pairs(tmp_path: Path) -> None:
    pairs = find_pairs(*write_set(tmp_path))
    seen: list[int] = []
    found = evaluate_pairs(pairs, lambda: seen.append(1))
    expected = Evaluation()
    scores = [expected.add(*load_pair(pair)) for pair in pairs]
    assert [name for name, _ in found.images] == ["strip-0", "strip-1", "strip-2", "strip-3"]
    # Vectorised sums differ in their last digits with the place of an array in memory.
    for ours, theirs in zip(
        (found.scores, *(image for _, image in found.images)), (expected.scores(), *scores), strict=True
    ):
        for figure in FIGURES:
            assert getattr(ours, figure.key) == pytest.approx(getattr(theirs, figure.key), abs=1e-9)
    np.testing.assert_allclose(found.curves.f, expected.curves().f, atol=1e-9)
    assert len(seen) == 4


def test_the_ten_worst_are_those_of_lowest_iou(tmp_path: Path) -> None:
    found = evaluate_pairs(find_pairs(*write_set(tmp_path, count=14)))
    by_iou = sorted(found.images, key=lambda image: image[1].iou)
    assert [image.pair.name for image in found.worst] == [name for name, _ in by_iou[:10]]
    assert found.worst[0].scores.iou < found.worst[9].scores.iou


def test_what_has_no_wrong_pixel_is_not_worst(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=2)
    mask, _ = mask_and_map(0)
    for name, pixels in (("clean", np.zeros_like(mask)), ("perfect", mask)):
        write(maps / f"{name}.png", pixels)
        write(masks / f"{name}.png", pixels)
    found = evaluate_pairs(find_pairs(maps, masks))
    assert {image.pair.name for image in found.worst} == {"strip-0", "strip-1"}


def test_of_images_with_nothing_right_the_one_with_more_wrong_is_worse(tmp_path: Path) -> None:
    maps, masks = tmp_path / "maps", tmp_path / "masks"
    for name, wrong in (("a", 3), ("b", 9), ("c", 6)):
        pixels = np.zeros((20, 20), np.uint8)
        write(masks / f"{name}.png", pixels)
        pixels[0, :wrong] = 200
        write(maps / f"{name}.png", pixels)
    worst = evaluate_pairs(find_pairs(maps, masks)).worst
    assert [(image.pair.name, image.false_positive_px, image.false_negative_px) for image in worst] == [
        ("b", 9, 0),
        ("c", 6, 0),
        ("a", 3, 0),
    ]


@pytest.mark.parametrize("level", [127, 128])
def test_thresholds_of_map_and_mask(tmp_path: Path, level: int) -> None:
    """A map counts over 127, a mask above 128."""
    maps, masks = tmp_path / "maps", tmp_path / "masks"
    grey = np.full((12, 12), 255, np.uint8)
    grey[:4] = level
    write(masks / "a.png", grey)
    write(maps / "a.png", grey)
    worst = evaluate_pairs(find_pairs(maps, masks)).worst
    assert [(image.false_positive_px, image.false_negative_px) for image in worst] == (
        [(48, 0)] if level == 128 else []
    )
