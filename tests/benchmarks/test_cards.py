"""Every weights file of a network that ships has a card, which shows what was measured of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.evaluations import Evaluation, load
from benchmarks.accuracy.protocols import PROTOCOLS
from models.weights import locate
from models.weights.files import read_weights
from models.weights.registry import available

CARDS = Path(__file__).parents[2] / "docs" / "cards"
MEASURED = {one.model: one for one in load(PROTOCOLS[0])}
DIGITS = {
    "s_measure": 1,
    "weighted_f": 1,
    "mae": 2,
    "e_mean": 1,
    "dice": 1,
    "iou": 1,
    "dice_mean": 1,
    "iou_mean": 1,
}


@pytest.mark.parametrize("name", available())
def test_the_figures_are_of_the_weights_that_ship(name: str) -> None:
    _, info = read_weights(locate(name))
    assert (MEASURED[name].version, MEASURED[name].weights) == (info.version, info.digest)


@pytest.mark.parametrize("measured", MEASURED.values(), ids=MEASURED)
def test_its_card_shows_them_and_its_recipe(measured: Evaluation) -> None:
    card = (CARDS / f"{measured.model}.md").read_text("utf-8")
    _, info = read_weights(locate(measured.model))
    assert " ".join(info.recipe.split()[:3]) in card
    assert f"{measured.parameters:,}" in card
    # A gate's maps are not what it is for.
    if info.gate_threshold is None:
        figures = (f"{100 * measured.figures[key]:.{digits}f}" for key, digits in DIGITS.items())
        assert f"the 180 public test images | {' | '.join(figures)} |" in card
