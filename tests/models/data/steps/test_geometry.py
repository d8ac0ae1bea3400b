from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from models.data.steps import (
    EdgeCrop,
    EitherFlip,
    HorizontalFlip,
    PadToSquare,
    QuarterTurn,
    RandomCrop,
    Resize,
    Rotation,
    ShareCrop,
    Step,
    TrainingPair,
    VerticalFlip,
    ZoomCrop,
)
from models.errors import DatasetError
from tests.models.data.steps.pairs import numbered_pair

DRAWS = 400


def applied(step: Step, pair: TrainingPair, draws: int = DRAWS) -> list[TrainingPair]:
    generator = np.random.default_rng(3)
    return [step.apply(pair, generator) for _ in range(draws)]


def coordinates(height: int, width: int) -> TrainingPair:
    """Rows in the image, columns in the mask."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return TrainingPair(rows, columns)


def test_random_crops_start_at_all_offsets_but_the_last() -> None:
    crops = applied(RandomCrop(), coordinates(256, 256), 800)
    assert {crop.image.shape for crop in crops} == {(224, 224)}
    assert {float(crop.image[0, 0]) for crop in crops} == set(range(32))
    assert {float(crop.mask[0, 0]) for crop in crops} == set(range(32))


def test_a_crop_as_large_as_the_image_is_the_image() -> None:
    pair = numbered_pair(224, 224)
    assert np.array_equal(applied(RandomCrop(), pair, 1)[0].image, pair.image)


def test_an_image_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(DatasetError, match="at least 224 px a side, got 230x200"):
        applied(RandomCrop(), numbered_pair(230, 200), 1)


def test_share_crops_remove_less_than_an_eighth_anywhere() -> None:
    crops = applied(ShareCrop(), coordinates(80, 160), 3000)
    removed = {(80 - crop.image.shape[0], 160 - crop.image.shape[1]) for crop in crops}
    assert {rows for rows, _ in removed} == set(range(10))
    assert {columns for _, columns in removed} == set(range(20))
    assert {float(crop.image[0, 0]) for crop in crops} == set(range(10))
    assert {float(crop.image[-1, -1]) for crop in crops} == set(range(70, 80))


def test_edge_crops_take_up_to_14_px_off_each_edge() -> None:
    crops = applied(EdgeCrop(), coordinates(60, 60))
    assert {float(crop.image[0, 0]) for crop in crops} == set(range(15))
    assert {59 - float(crop.image[-1, -1]) for crop in crops} == set(range(15))
    assert {59 - float(crop.mask[-1, -1]) for crop in crops} == set(range(15))


def test_edge_crops_leave_something_of_a_small_image() -> None:
    assert min(min(crop.image.shape) for crop in applied(EdgeCrop(), numbered_pair(5, 6))) >= 1


def test_zoom_crops_have_their_scales_and_stretch_anywhere_in_the_image() -> None:
    crops = applied(ZoomCrop(size_px=50, min_zoom=0.5, max_zoom=2.0), coordinates(400, 400))
    # What is left of the image on either side, in its own pixels.
    heights, widths = (
        np.array([float(np.ptp(plane)) + 1 for plane in planes]) for planes in zip(*crops, strict=True)
    )
    assert {crop.image.shape for crop in crops} == {(50, 50)}
    scales, aspects = np.sqrt(heights * widths) / 50, heights / widths
    assert (scales.min(), scales.max()) == pytest.approx((0.5, 2), rel=0.06)
    assert (aspects.min(), aspects.max()) == pytest.approx((0.8, 1.25), rel=0.06)
    assert min(float(crop.image.min()) for crop in crops) < 10
    assert max(float(crop.image.max()) for crop in crops) > 390


def test_a_zoom_crop_never_exceeds_the_image() -> None:
    crop = applied(ZoomCrop(size_px=64, min_zoom=0.5, max_zoom=0.5), coordinates(40, 60), 1)[0]
    assert crop.image.shape == (64, 64)
    assert (float(crop.image.max()), float(crop.mask.max())) == (39, 59)


def test_quarter_turns_are_the_eight_of_a_square() -> None:
    pair = numbered_pair(5, 5)
    results = applied(QuarterTurn(), pair)
    found = Counter(result.image.tobytes() for result in results)
    assert len(found) == 8
    assert all(count / DRAWS == pytest.approx(1 / 8, abs=0.06) for count in found.values())
    assert all(np.array_equal(result.mask, result.image > 127) for result in results)


@pytest.mark.parametrize(
    ("step", "shares"),
    [
        (HorizontalFlip(), {"as it was": 0.5, "left for right": 0.5}),
        (VerticalFlip(), {"as it was": 0.8, "top for bottom": 0.2}),
        (EitherFlip(), {"as it was": 0.5, "left for right": 0.25, "top for bottom": 0.25}),
        (HorizontalFlip(probability=1), {"left for right": 1.0}),
        (VerticalFlip(probability=0), {"as it was": 1.0}),
    ],
    ids=str,
)
def test_flips_are_as_frequent_as_published(step: Step, shares: dict[str, float]) -> None:
    pair = numbered_pair(3, 4)
    views = {
        pair.image.tobytes(): "as it was",
        pair.image[:, ::-1].tobytes(): "left for right",
        pair.image[::-1].tobytes(): "top for bottom",
    }
    results = applied(step, pair)
    found = Counter(views[result.image.tobytes()] for result in results)
    assert set(found) == set(shares)
    for view, share in shares.items():
        assert found[view] / DRAWS == pytest.approx(share, abs=0.08)
    assert all(np.array_equal(result.mask, result.image > 127) for result in results)


def test_rotation_turns_about_the_centre_within_its_bounds() -> None:
    pair = TrainingPair(np.zeros((61, 61), np.float32), np.zeros((61, 61), np.float32))
    for plane in pair:
        plane[30, 30] = plane[30, 50:53] = 1
    angles = []
    for image, mask in applied(Rotation(), pair):
        assert image[30, 30] == pytest.approx(1)
        assert set(np.unique(mask)) <= {0.0, 1.0}
        rows, columns = np.nonzero(image[:, 40:] > 0.4)
        angles.append(-np.degrees(np.arctan2(rows.mean() - 30, columns.mean() + 10)))
    assert -26 < min(angles) < -23
    assert 22 < max(angles) < 25.5


def test_rotation_brings_black_unmarked_corners() -> None:
    pair = TrainingPair(np.full((40, 40), 200, np.float32), np.ones((40, 40), np.float32))
    turned = [result for result in applied(Rotation(), pair, 50) if result.image[0, 0] == 0]
    assert turned
    assert all(result.mask[0, 0] == 0 for result in turned)


def test_resizing_is_that_of_the_paper() -> None:
    image = np.tile(np.array([0, 100], np.float32), (2, 1))
    pair = TrainingPair(image, image / 100)
    hard = applied(Resize(size_px=4), pair, 1)[0]
    np.testing.assert_allclose(hard.image[0], [0, 25, 75, 100])
    np.testing.assert_array_equal(hard.mask[0], [0, 0, 1, 1])
    soft = applied(Resize(size_px=4, mask="linear"), pair, 1)[0]
    np.testing.assert_allclose(soft.mask[0], [0, 0.25, 0.75, 1])


@pytest.mark.parametrize(("height", "width"), [(3, 6), (6, 3), (4, 4), (2, 5)])
def test_padding_is_on_both_ends_and_marks_nothing(height: int, width: int) -> None:
    pair = TrainingPair(np.full((height, width), 200, np.float32), np.ones((height, width), np.float32))
    image, mask = applied(PadToSquare(grey_level=115), pair, 1)[0]
    side = max(height, width)
    assert image.shape == (side, side)
    top, left = (side - height) // 2, (side - width) // 2
    assert (image[top : top + height, left : left + width] == 200).all()
    assert mask.sum() == height * width
    assert (image[mask == 0] == 115).all()
