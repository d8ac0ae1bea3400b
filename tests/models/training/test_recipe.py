from pathlib import Path

import pytest

import models
from models.errors import RecipeError
from models.training.recipe import load_recipe

RECIPES = sorted((Path(models.__file__).parent / "recipes").glob("*.toml"))

GOOD = 'name = "x"\nnetwork = "csnet-x1"\n[[phases]]\nname = "a"\nsteps = 3\nsize_px = 32\npeak_rate = 1e-3\n'


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_good(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.total_steps > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "cannot read recipe"),
        ('name = "x"\nnetwork = "csnet-x1"\nphases = []', "phases"),
        (GOOD + "colour = 3\n", "colour"),
        (GOOD.replace("1e-3", "-1"), "peak_rate"),
        (GOOD + "strip_share = 1.5\n", "strip_share"),
        (GOOD.replace("csnet-x1", "wonder"), "expected one of .*csnet-x1.*, got wonder"),
        (GOOD + '[[phases.augmentation]]\nkind = "wonder"\n', "augmentation"),
    ],
    ids=["no toml", "no phases", "unknown setting", "negative rate", "share above one", "network", "step"],
)
def test_a_bad_recipe_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere"):
        load_recipe(tmp_path / "nowhere.toml")


def test_steps_fall_into_phases(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD + GOOD[GOOD.index("[[phases") :].replace('"a"', '"b"'), encoding="utf-8")
    recipe = load_recipe(path)
    places = [recipe.phase_at(step) for step in range(recipe.total_steps)]
    assert [(phase.name, step) for phase, step in places] == [
        (name, step) for name in "ab" for step in range(3)
    ]
    with pytest.raises(IndexError):
        recipe.phase_at(6)


def test_pretrained_is_no_knob_of_what_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD.replace("[[phases", "knobs = { pretrained = true, fine_share = 0.7 }\n[[phases"))
    assert load_recipe(path).structure_knobs == {"fine_share": 0.7}
