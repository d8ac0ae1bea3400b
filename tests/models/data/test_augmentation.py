from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.augmentation import Augmentation
from models.data.folders import Sample
from tests.models.samples import clean_sample, patch_sample


def sample_of(height: int, width: int) -> Sample:
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = 255
    image = np.full((height, width), 150, dtype=np.uint8)
    image[mask > 0] = 60
    return Sample("x", image, mask)


@settings(max_examples=40)
@given(height=st.integers(8, 90), width=st.integers(8, 90), seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_every_crop_has_the_size_and_range_that_a_network_takes(
    height: int, width: int, seed: int, share: float
) -> None:
    augmentation = Augmentation(size_px=32, min_zoom=0.5, max_zoom=2.0, defect_share=share)
    image, mask = augmentation.apply(sample_of(height, width), np.random.default_rng(seed))
    assert image.shape == mask.shape == (32, 32)
    assert image.dtype == mask.dtype == np.float32
    assert np.array_equal(image, np.rint(image))
    assert image.min() >= 0
    assert image.max() <= 255
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_a_crop_has_a_pixel_at_least() -> None:
    augmentation = Augmentation(size_px=32, min_zoom=300, max_zoom=300)
    image, _ = augmentation.apply(sample_of(20, 20), np.random.default_rng(1))
    assert image.shape == (32, 32)


def test_the_same_seed_gives_the_same_crop() -> None:
    augmentation, sample = Augmentation(32), patch_sample("x", seed=2)
    first = augmentation.apply(sample, np.random.default_rng(11))
    second = augmentation.apply(sample, np.random.default_rng(11))
    other = augmentation.apply(sample, np.random.default_rng(12))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_upright_a_crop_is_the_same_less_the_turn() -> None:
    sample, turned_too = patch_sample("x", seed=2), Augmentation(32)
    as_it_lay: list[bool] = []
    for seed in range(20):
        _, turned = turned_too.apply(sample, np.random.default_rng(seed))
        _, upright = replace(turned_too, upright=True).apply(sample, np.random.default_rng(seed))
        turns = [np.rot90(upright, quarters) for quarters in range(4)]
        lays = [np.array_equal(turned, lay) for turn in turns for lay in (turn, np.fliplr(turn))]
        assert any(lays)
        as_it_lay.append(lays[0])
    assert not all(as_it_lay)


def test_mask_and_image_move_together() -> None:
    augmentation, sample = Augmentation(32, defect_share=1.0), patch_sample("x", seed=2)
    for seed in range(30):
        image, mask = augmentation.apply(sample, np.random.default_rng(seed))
        inside, outside = image[mask > 0.9], image[mask < 0.1]
        if inside.size and outside.size:
            assert inside.mean() < outside.mean() - 15


def test_a_defect_share_of_one_never_loses_the_defect() -> None:
    augmentation = Augmentation(16, min_zoom=1.0, max_zoom=1.0, defect_share=1.0)
    sample = patch_sample("x", seed=2)
    assert all(augmentation.apply(sample, np.random.default_rng(seed))[1].any() for seed in range(50))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_clean_sample_stays_clean(share: float) -> None:
    augmentation = Augmentation(32, defect_share=share)
    assert not augmentation.apply(clean_sample("x", seed=2), np.random.default_rng(0))[1].any()
