"""The page on training: its example is a recipe, and its table has every recipe that ships."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from models.training.recipe import Recipe, shipped_recipes

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_example_is_a_recipe() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert Recipe.model_validate(tomllib.loads(example)).network == "edrnet-no-cbam"


def test_every_recipe_has_its_place() -> None:
    table = PAGE[PAGE.index("## The recipes that ship") :]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(name for cell in first_cells for name in re.findall(r"`(.*?)`", cell)) == shipped_recipes()
