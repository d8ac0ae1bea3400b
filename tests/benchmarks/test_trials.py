"""Trials are run once, kept as they end, and forgotten where their recipe is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.progress import Progress

from benchmarks.ablation import variants
from benchmarks.trials import Trial, run_missing, trials_in
from models.training.recipe import Recipe

RECIPES = list(variants())[:3]
DIGESTS = [recipe.digest for _, recipe in RECIPES]


def test_what_is_kept_is_not_run_again_and_goes_with_its_recipe(tmp_path: Path) -> None:
    file, ran = tmp_path / "trials.json", []

    def run(name: str, recipe: Recipe, _progress: Progress) -> Trial:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(name)
        return Trial(recipe=recipe.digest, images=len(ran))

    with pytest.raises(KeyboardInterrupt):
        run_missing(file, Trial, RECIPES, run)
    assert [trial.recipe for trial in trials_in(file, Trial)] == DIGESTS[:2]

    ran.clear()
    run_missing(file, Trial, RECIPES[1:], run)
    assert ran == [RECIPES[2][0]]
    assert trials_in(file, Trial) == (
        Trial(recipe=DIGESTS[1], images=2),
        Trial(recipe=DIGESTS[2], images=1),
    )


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials.json").write_text('[{"recipe": "a"}]')
    with pytest.raises(ValidationError, match="images"):
        trials_in(tmp_path / "trials.json", Trial)
    assert trials_in(tmp_path / "none.json", Trial) == ()
