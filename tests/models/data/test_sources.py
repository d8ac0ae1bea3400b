from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models.data.folders import class_of
from models.data.sources import Source, folder_sources, with_noise, with_noisy_copies
from models.data.steps import NOISE_PROTOCOLS, GaussianNoise, SaltAndPepper
from tests.models.samples import patch_sample, write_sample


def named(*names: str) -> list[Source]:
    return [Source(Path(f"images/{name}.png"), Path(f"masks/{name}.png")) for name in names]


def steel() -> list[Source]:
    return named(*(f"{kind}_{index}" for kind in ("In", "Pa", "Sc") for index in range(1, 181)))


def test_noise_robust_pairs_are_810_of_540() -> None:
    pairs = with_noisy_copies(steel())
    clean, copies = pairs[:540], pairs[540:]
    assert clean == steel()
    assert len(copies) == 270
    assert Counter(class_of(copy.image.stem) for copy in copies) == {"In": 90, "Pa": 90, "Sc": 90}
    assert len({copy.image for copy in copies}) == 270
    assert all(copy.mask.stem == copy.image.stem for copy in copies)
    assert Counter(copy.noise for copy in copies) == dict.fromkeys(NOISE_PROTOCOLS, 45)
    assert len({copy.noise_seed for copy in copies}) == 270


def test_copies_depend_on_names_and_seed_alone() -> None:
    copies = with_noisy_copies(steel())[540:]
    assert set(with_noisy_copies(steel()[::-1])[540:]) == set(copies)
    assert set(with_noisy_copies(steel(), seed=1)[540:]) != set(copies)


def test_a_noisy_copy_is_the_same_noise_each_time_over_a_clean_mask(tmp_path: Path) -> None:
    for index in range(4):
        write_sample(tmp_path, patch_sample(f"In_{index}", seed=index))
    clean = folder_sources(tmp_path)
    assert [source.name for source in clean] == ["In_0", "In_1", "In_2", "In_3"]
    pairs = with_noisy_copies(clean, share=0.5, protocols=[SaltAndPepper(share=0.2)])
    assert len(pairs) == 6
    for copy in pairs[4:]:
        original, first, second = Source(copy.image, copy.mask).load(), copy.load(), copy.load()
        assert first.name == f"{original.name}+salt-and-pepper"
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.mask, original.mask)
        changed = first.image != original.image
        assert changed.mean() == pytest.approx(0.2, abs=0.01)
        assert set(np.unique(first.image[changed])) <= {0, 255}


def test_test_images_all_come_under_one_protocol() -> None:
    noisy = with_noise(steel(), GaussianNoise(sigma=0.05))
    assert [source.image for source in noisy] == [source.image for source in steel()]
    assert {source.noise for source in noisy} == {GaussianNoise(sigma=0.05)}
    assert len({source.noise_seed for source in noisy}) == 540


@pytest.mark.data
def test_the_training_pairs_of_the_real_steel(data_dir: Path) -> None:
    pairs = with_noisy_copies(folder_sources(data_dir / "sd-saliency-900" / "train"))
    assert len(pairs) == 810
    noisy = pairs[-1].load()
    assert noisy.image.shape == noisy.mask.shape == (200, 200)
