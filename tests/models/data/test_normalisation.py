from __future__ import annotations

import pytest
import torch

from models.data.normalisation import NORMALISATIONS, normalisation
from models.errors import RecipeError
from models.networks.normalisation import network_input

PIXELS = torch.tensor([[[0, 50], [100, 200]], [[10, 20], [30, 40]]], dtype=torch.uint8)


def test_steel_is_what_inspection_does() -> None:
    torch.testing.assert_close(normalisation("steel")(PIXELS), network_input(PIXELS))
    torch.testing.assert_close(normalisation("steel")(PIXELS, 1), network_input(PIXELS, 1))


def test_the_own_maximum_is_of_each_image() -> None:
    found = normalisation("steel-own-maximum")(PIXELS)
    expected = (torch.tensor([[0.25, 0.5], [0.75, 1.0]]) - 0.4669) / 0.2437
    for channel in range(3):
        torch.testing.assert_close(found[1, channel], expected)
    assert torch.isfinite(normalisation("imagenet-own-maximum")(torch.zeros(1, 4, 4))).all()


@pytest.mark.parametrize(
    ("name", "channel", "expected"),
    [
        ("imagenet", 0, (200 / 255 - 0.485) / 0.229),
        ("imagenet", 2, (200 / 255 - 0.406) / 0.225),
        ("imagenet-own-maximum", 1, (1 - 0.456) / 0.224),
        ("pfanet", 0, 200 - 103.939),
        ("pfanet", 2, 200 - 123.68),
        ("scfnet", 0, (200 - 124.55) / 56.77),
        ("scfnet", 1, (200 - 118.90) / 55.97),
    ],
)
def test_constants_are_the_published_ones(name: str, channel: int, expected: float) -> None:
    assert float(normalisation(name)(PIXELS)[0, channel, 1, 1]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_every_one_takes_grey_and_gives_colour(name: str) -> None:
    found = normalisation(name)(PIXELS.float())
    assert found.shape == (2, 3, 2, 2)
    assert found.dtype == torch.float32


def test_one_channel_needs_like_channels() -> None:
    with pytest.raises(RecipeError, match="treats channels alike"):
        normalisation("imagenet")(PIXELS, 1)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"no normalisation wonder: expected one of steel, .*scfnet"):
        normalisation("wonder")
