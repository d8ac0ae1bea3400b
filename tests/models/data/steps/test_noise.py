from __future__ import annotations

import numpy as np
import pytest

from models.data.steps import NOISE_PROTOCOLS, GaussianNoise, SaltAndPepper, SomeNoise, TrainingPair


def grey(level: float = 128, side: int = 200) -> TrainingPair:
    return TrainingPair(np.full((side, side), level, np.float32), np.ones((side, side), np.float32))


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_gaussian_noise_has_its_deviation_and_whole_levels(sigma: float) -> None:
    noisy = GaussianNoise(sigma=sigma).apply(grey(), np.random.default_rng(1))
    # A fifth of full scale is cut where it leaves it, one pixel in eighty at mid grey.
    assert float((noisy.image - 128).std()) == pytest.approx(sigma * 255, rel=0.02)
    assert float(noisy.image.mean()) == pytest.approx(128, abs=0.6)
    assert np.array_equal(noisy.image, np.rint(noisy.image))
    assert np.array_equal(noisy.mask, grey().mask)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 1.0])
def test_salt_and_pepper_hit_just_their_share(share: float) -> None:
    noisy = SaltAndPepper(share=share).apply(grey(), np.random.default_rng(1))
    salt, pepper = int((noisy.image == 255).sum()), int((noisy.image == 0).sum())
    assert salt + pepper == round(share * 200 * 200)
    assert int((noisy.image == 128).sum()) == 200 * 200 - salt - pepper
    assert salt / pepper == pytest.approx(1, abs=0.1)


def test_protocols_are_three_levels_of_both() -> None:
    levels = [
        (noise.kind, getattr(noise, "sigma", None) or getattr(noise, "share", None))
        for noise in NOISE_PROTOCOLS
    ]
    expected = [("gaussian-noise", level) for level in (0.05, 0.1, 0.2)]
    assert levels == [*expected, *(("salt-and-pepper", level) for level in (0.05, 0.1, 0.2))]


def test_some_noise_is_rare_of_both_kinds_and_within_its_levels() -> None:
    step = SomeNoise(probability=0.4, max_sigma=0.1, max_share=0.05)
    generator = np.random.default_rng(3)
    images = [step.apply(grey(side=40), generator).image for _ in range(400)]
    noisy = [image for image in images if not np.array_equal(image, grey(side=40).image)]
    speckled = [image for image in noisy if np.isin(image, (0, 128, 255)).all()]
    grained = [image for image in noisy if not np.isin(image, (0, 128, 255)).all()]
    assert len(noisy) == pytest.approx(160, abs=40)
    assert min(len(speckled), len(grained)) > 40
    assert max(float((image != 128).mean()) for image in speckled) <= 0.05
    deviations = [float(image.std()) for image in grained]
    assert max(deviations) <= 0.1 * 255 * 1.1
    assert min(deviations) < 0.03 * 255
