from pathlib import Path

import pytest

from models.errors import RecipeError
from models.training.criterion import DiceTerm, EdgeHoldTerm, HybridTerm
from models.training.recipe import find_recipe, load_recipe, shipped_recipes

GOOD = 'name = "x"\nnetwork = "csnet-x1"\n[[phases]]\nname = "a"\nsteps = 3\nsize_px = 32\npeak_rate = 1e-3\n'


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
        (
            GOOD.replace("[[phases", 'normalisation = "wonder"\n[[phases'),
            "expected one of steel, .*got wonder",
        ),
        (GOOD.replace("[[phases", "fold = 5\n[[phases"), "fold: expected 0 to 4, got 5"),
        (GOOD.replace("[[phases", "loss = []\n[[phases"), "loss: expected at least one"),
        (GOOD.replace("[[phases", 'loss = { kind = "wonder" }\n[[phases'), "loss.0: .*'wonder'"),
        (GOOD.replace("[[phases", 'optimizer = { kind = "wonder" }\n[[phases'), "optimizer: .*'wonder'"),
        (GOOD + 'schedule = { kind = "step" }\n', "schedule.step.at_steps: Field required"),
        (
            GOOD + "taught_share = 0.4\nstrip_share = 0.5\nframes_share = 0.2\n",
            "expected strip_share, taught_share, frames_share of at most 1 together, got 0.5, 0.4, 0.2",
        ),
        (
            GOOD + 'upright = true\naugmentation = [{ kind = "elastic" }, { kind = "quarter-turn" }]\n',
            "upright: expected no step that turns or mirrors, got quarter-turn",
        ),
        (GOOD.replace('name = "x"', 'name = "../x"'), "name: "),
        (GOOD.replace('name = "x"', 'name = "state"'), "name: .*another name than state"),
        (GOOD.replace("[[phases", "sharpness = 4\n[[phases"), "sharpness: .*equal to 3, got 4"),
        (
            GOOD.replace("[[phases", "fold = 1\n[[phases") + "all_steel = true\n",
            "all_steel: expected held-out",
        ),
        (
            GOOD.replace("[[phases", "gate = {}\n[[phases") + "all_steel = true\n",
            "all_steel: expected held-out",
        ),
        (
            GOOD + "all_steel = true\n" + GOOD[GOOD.index("[[phases") :],
            "all_steel: expected it of every phase behind the first",
        ),
        (GOOD.replace("[[phases", "sharpness = 2\ngate = {}\n[[phases"), "sharpness: a gate has"),
        (
            GOOD + "batch = 3\ntaught_share = 0.25\nstrip_share = 0.5\nframes_share = 0.25\n",
            "of at most 1 together, got 0.5, 0.25, 0.25 of a batch of 3",
        ),
        (
            GOOD.replace("[[phases", 'start = "wonder"\n[[phases'),
            "expected one of .*gate.*, got wonder",
        ),
        (
            GOOD.replace("[[phases", 'start = "csnet-x1"\n[[phases'),
            "start: expected all_steel of every",
        ),
        (GOOD + "strip_share = 0.05\n", "strip_share: 0.05 of a batch of 8 rounds to no image"),
        (GOOD + "min_zoom = 2.0\n", "expected min_zoom up to max_zoom, got 2.0 and 1.6"),
        (GOOD.replace("[[phases", "width = 10\n[[phases"), "width: .*equal to 8, got 10"),
        (GOOD.replace("[[phases", "knobs = { width = 2 }\n[[phases"), "knobs: .*width beside the knobs"),
        (
            GOOD.replace("[[phases", 'knobs = { name = "x" }\n[[phases'),
            "knobs: expected the network's name and width beside the knobs, got name among them",
        ),
        (GOOD.replace("[[phases", "loss = { map_weights = [0] }\n[[phases"), "a weight above 0"),
        (GOOD.replace("[[phases", "loss = { bce = 0, iou = 0 }\n[[phases"), "loss: .*weights of 0 alone"),
        (GOOD + "[[phases.loss]]\nweight = 0\n", "phases.0.loss: .*weights of 0 alone"),
        (
            GOOD + '[phases.loss]\nkind = "structure"\nbce = 0\niou = 0\n',
            "phases.0.loss: .*weights of 0 alone",
        ),
        (
            GOOD.replace("[[phases", f"seed = {2**64}\n[[phases"),
            f"seed: Input should be less than {2**64}, got {2**64}",
        ),
        (GOOD.replace("1e-3", "inf"), "peak_rate: Input should be a finite number, got inf"),
        (GOOD + "max_zoom = inf\n", "max_zoom: .*finite number, got inf"),
        (
            GOOD + '[[phases.augmentation]]\nkind = "contrast-brightness"\nmax_contrast = inf\n',
            "max_contrast: .*finite number, got inf",
        ),
        (
            GOOD + '[[phases.augmentation]]\nkind = "elastic"\nmax_shift_px = inf\n',
            "max_shift_px: .*finite number, got inf",
        ),
        (
            GOOD + '[[phases.augmentation]]\nkind = "clean-mirror"\nmargin_px = 100_000\n',
            "margin_px: Input should be less than or equal to 1024, got 100000",
        ),
        (
            GOOD + '[[phases.augmentation]]\nkind = "contrast-brightness"\nmin_contrast = 2\n',
            "expected min_contrast up to max_contrast, got 2.0 and 1.5",
        ),
    ],
    ids=[
        "no toml",
        "no phases",
        "unknown setting",
        "negative rate",
        "share above one",
        "network",
        "augmentation",
        "normalisation",
        "fold",
        "no loss",
        "loss",
        "optimiser",
        "schedule",
        "shares above one",
        "turns of what is upright",
        "name that is a path",
        "name of the state",
        "too sharp",
        "fold of steel that trains",
        "gate of steel that trains",
        "steel that trained held out",
        "sharp gate",
        "shares of more images than a batch",
        "start",
        "start by steel held out",
        "share of no image",
        "zooms",
        "width",
        "knob",
        "name among the knobs",
        "weights of no map",
        "no part of a loss",
        "no weight of a loss",
        "no part of a structure loss",
        "seed",
        "rate without end",
        "zoom without end",
        "contrast without end",
        "shift without end",
        "margin",
        "contrasts",
    ],
)
def test_a_bad_recipe_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_gradient_norm_without_end_is_meant(tmp_path: Path) -> None:
    path = written(
        tmp_path, GOOD.replace("[[phases", f"max_gradient_norm = inf\nseed = {2**64 - 1}\n[[phases")
    )
    recipe = load_recipe(path)
    assert (recipe.max_gradient_norm, recipe.seed) == (float("inf"), 2**64 - 1)


def test_one_loss_of_several_may_have_no_weight(tmp_path: Path) -> None:
    several = '[[loss]]\nkind = "dice"\nweight = 0\n[[loss]]\nkind = "tile"\n[[phases'
    assert len(load_recipe(written(tmp_path, GOOD.replace("[[phases", several))).loss) == 2


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


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_losses_are_one_table_or_several(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, GOOD)).loss == (HybridTerm(),)
    plain = GOOD.replace("[[phases", "[loss]\nssim = 1.0\n[[phases")
    assert load_recipe(written(tmp_path, plain)).loss == (HybridTerm(ssim=1.0),)
    several = '[[loss]]\nkind = "dice"\nweight = 0.5\n[[loss]]\nkind = "edge-hold"\n[[phases'
    assert load_recipe(written(tmp_path, GOOD.replace("[[phases", several))).loss == (
        DiceTerm(weight=0.5),
        EdgeHoldTerm(),
    )
    of_phase = load_recipe(written(tmp_path, GOOD + '[phases.loss]\nkind = "dice"\n'))
    assert of_phase.phases[0].loss == (DiceTerm(),)


def test_other_settings_may_count_instead(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    recipe = load_recipe(path, seed=3, fold=None)
    assert (recipe.seed, recipe.fold) == (3, None)
    assert recipe.digest != load_recipe(path).digest == load_recipe(path, seed=7).digest
    with pytest.raises(RecipeError, match="fold: expected 0 to 4, got 9"):
        load_recipe(path, fold=9)


def test_recipes_are_found_by_name_or_path(tmp_path: Path) -> None:
    for name in shipped_recipes():
        assert find_recipe(name).stem == name
    path = written(tmp_path, GOOD)
    assert find_recipe(str(path)) == path
    for wrong in ("wonder", str(tmp_path), str(path.with_suffix(".txt"))):
        with pytest.raises(RecipeError, match=r"expected a TOML file or one of .*csnet-first"):
            find_recipe(wrong)
