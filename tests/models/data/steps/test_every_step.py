"""What holds for every step: range, size of the mask, repetition, and settings that a recipe can hold."""

from __future__ import annotations

import tomllib
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from models.data.steps import PUBLISHED_STEPS, AugmentationStep, RandomCrop, Resize, Step, compose
from tests.models.data.steps.pairs import numbered_pair

STEPS: tuple[type[Step], ...] = get_args(get_args(AugmentationStep)[0])


ROUNDING = 1e-6
"""Of full scale: weights of float32 interpolation may sum to a little more than 1."""


def make(step: type[Step]) -> Step:
    return step(size_px=7) if "size_px" in step.model_fields else step()  # type: ignore[call-arg]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@settings(max_examples=15)
@given(height=st.integers(7, 40), width=st.integers(7, 40), seed=st.integers(0, 2**32))
def test_pairs_stay_pairs_in_range_and_the_given_one_stays(
    step: type[Step], height: int, width: int, seed: int
) -> None:
    pair = numbered_pair(height, width)
    kept = [plane.copy() for plane in pair]
    result = make(step).apply(pair, np.random.default_rng(seed))
    again = make(step).apply(pair, np.random.default_rng(seed))
    assert result.image.shape == result.mask.shape
    assert result.image.dtype == result.mask.dtype == np.float32
    assert 0 <= result.image.min() <= result.image.max() <= 255 * (1 + ROUNDING)
    assert 0 <= result.mask.min() <= result.mask.max() <= 1 + ROUNDING
    for plane, twin, original, before in zip(result, again, pair, kept, strict=True):
        assert np.array_equal(plane, twin)
        assert np.array_equal(original, before)


@pytest.mark.parametrize("paper", PUBLISHED_STEPS)
@pytest.mark.parametrize("size", [(200, 200), (256, 90)], ids=str)
def test_what_each_paper_does_runs_on_any_image(paper: str, size: tuple[int, int]) -> None:
    sizes = {"edrnet": 224, "cat-ednet": 224, "basnet": 224, "u2net": 288, "pfanet": 256, "csnet": 224}
    augment = compose(PUBLISHED_STEPS[paper])
    for seed in range(3):
        pair = augment(numbered_pair(*size), np.random.default_rng(seed))
        if paper in sizes:
            assert pair.image.shape == (sizes[paper], sizes[paper])
        else:
            assert all(7 / 8 * side < new <= side for side, new in zip(size, pair.image.shape, strict=True))


class SomeRecipe(BaseModel):
    augmentation: tuple[AugmentationStep, ...]


@pytest.mark.parametrize("paper", PUBLISHED_STEPS)
def test_a_recipe_can_hold_every_list(paper: str) -> None:
    lines = []
    for step in PUBLISHED_STEPS[paper]:
        lines.append("[[augmentation]]")
        for name, value in step.model_dump().items():
            lines.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}")
    text = "\n".join(lines).replace("(", "[").replace(")", "]")
    assert SomeRecipe.model_validate(tomllib.loads(text)).augmentation == PUBLISHED_STEPS[paper]


def test_kinds_are_unlike() -> None:
    kinds = [step.model_fields["kind"].default for step in STEPS]
    assert len(set(kinds)) == len(kinds) == 20


@pytest.mark.parametrize(
    "settings_of_step",
    [
        {"kind": "wonder"},
        {"kind": "resize", "size_px": 0},
        {"kind": "resize", "mask": "cubic"},
        {"kind": "resize", "sise_px": 256},
        {"kind": "horizontal-flip", "probability": 1.5},
        {"kind": "contrast-brightness", "min_contrast": 2.0},
        {"kind": "contrast-brightness", "min_brightness": 20},
        {"kind": "gaussian-blur", "kernels_px": [3, 4]},
        {"kind": "gaussian-blur", "kernels_px": []},
        {"kind": "share-crop", "max_share": 1.0},
        {"kind": "salt-and-pepper", "share": 0},
        {"kind": "zoom-crop", "min_zoom": 2.0},
        {"kind": "zoom-crop", "max_aspect": 0.5},
        {"kind": "light-gradient", "max_strength": 1.0},
        {"kind": "elastic", "max_shift_px": 0},
        {"kind": "copy-paste", "max_marked": 2},
        {},
    ],
    ids=str,
)
def test_a_step_that_makes_no_sense_is_refused(settings_of_step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AugmentationStep).validate_python(settings_of_step)


def test_steps_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Resize().size_px = 3  # type: ignore[misc]


def test_steps_follow_one_another() -> None:
    crop, resize = RandomCrop(size_px=8), Resize(size_px=16)
    pair, generator = numbered_pair(32, 32), np.random.default_rng(0)
    assert compose([crop, resize])(pair, generator).image.shape == (16, 16)
    assert compose([resize, crop])(pair, generator).image.shape == (8, 8)
    assert compose([])(pair, generator) is pair
