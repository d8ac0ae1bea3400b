"""Crops, noise and plantings: what the simulated strip is put together from."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.simulation import crops
from ingest.simulation.crops import crop_index, crop_levels, crops_of
from ingest.simulation.noise import SlowNoise, generator, smooth_noise
from ingest.simulation.plan import CoilPlan
from ingest.simulation.planting import Planting, difference, truth_pixels
from ingest.simulation.texture import LOOKS, StripTexture
from ingest.simulation.truth import CONTRAST_FLOOR, Family


def test_the_halves_share_no_crop_and_have_every_kind() -> None:
    names = [entry.name for entry in crop_index()]
    assert len(names) == len(set(names)) >= 55
    kinds = {entry.kind for entry in crop_index()}
    assert len(kinds) == 5
    for kind in kinds:
        assert crops_of("train", kind)
        assert crops_of("judge", kind)


def test_every_bundled_crop_is_in_the_index_and_all_are_small() -> None:
    bundled = [file for file in files(crops).iterdir() if file.name.endswith(".png")]
    assert {file.name for file in bundled} == {f"{entry.name}.png" for entry in crop_index()}
    assert sum(len(file.read_bytes()) for file in bundled) < 1_500_000


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("half", ["train", "judge"])
def test_no_defect_has_a_seam(half: str, seed: int) -> None:
    plantings = CoilPlan(seed, "train" if half == "train" else "judge", 40_000, 3.0).plantings
    for planting in plantings:
        change = np.abs(difference(planting))
        rim = max(change[0].max(), change[-1].max(), change[:, 0].max(), change[:, -1].max())
        assert rim <= CONTRAST_FLOOR, planting
        assert truth_pixels(planting).sum() >= 8


def test_equal_plantings_differ_only_in_place() -> None:
    one = Planting("slag-inclusion", "1017", 100, 100, 40, 24, 0.5)
    assert np.array_equal(difference(one), difference(replace(one, row=900, column=50)))
    assert np.array_equal(difference(one)[::-1], difference(replace(one, flip_rows=True)))
    assert not difference(one).flags.writeable


def test_strength_sets_the_contrast() -> None:
    faint = Planting("iron-sheet-ash", "3008", 0, 0, 34, 42, 0.2)
    assert np.allclose(difference(replace(faint, strength=0.4)), 2 * difference(faint), atol=1e-6)


def test_resizing_keeps_the_crop_as_it_is_at_its_own_size() -> None:
    levels = crop_levels("3008")
    height, width = levels.shape
    change = difference(Planting("iron-sheet-ash", "3008", 0, 0, height, width, 0.3))
    here = np.abs(levels) > 5
    ratio = change[here] / levels[here]
    assert np.allclose(ratio, np.median(ratio), rtol=1e-3)


@pytest.mark.parametrize("smoothing", [(1, 1), (9, 1), (3, 14)])
def test_noise_is_periodic_with_unit_variance(smoothing: tuple[int, int]) -> None:
    noise = smooth_noise(generator(1, 1), (503, 400), smoothing)
    assert noise.dtype == np.float32
    assert float(noise.var()) == pytest.approx(1, abs=0.15)
    assert float(noise.mean()) == pytest.approx(0, abs=0.1)
    step = np.abs(np.diff(noise, axis=0)).mean()
    assert np.abs(noise[0] - noise[-1]).mean() == pytest.approx(step, rel=0.25)


@settings(max_examples=30)
@given(st.integers(0, 5000), st.integers(1, 300), st.integers(1, 40), st.integers(0, 300))
def test_slow_noise_is_the_same_however_it_is_cut(first: int, rows: int, spacing: int, cut: int) -> None:
    noise = SlowNoise(smooth_noise(generator(2, 1), (7, 5), (1, 1)), spacing)
    cut, every = min(cut, rows), slice(None)
    whole = noise.at(first, rows, every)
    parts = [noise.at(first, cut, every), noise.at(first + cut, rows - cut, every)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.array_equal(whole, noise.at(first + 7 * spacing, rows, every))


@pytest.mark.parametrize("family", list(LOOKS))
def test_strip_has_grain_and_streaks_along_it(family: Family) -> None:
    strip = StripTexture(3, family, 920).at(10_000, 480, slice(0, 480))
    assert 80 < strip.mean() < 170
    assert 0.02 < strip.std() / strip.mean() < 0.08
    along = np.abs(np.diff(strip, n=1, axis=0)).mean()
    across = np.abs(np.diff(strip, n=1, axis=1)).mean()
    assert across > 1.2 * along
