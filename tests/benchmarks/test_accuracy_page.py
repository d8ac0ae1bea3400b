"""docs/results.md is what its command makes of the figures that are committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import ablation, cross_validation
from benchmarks.ablation import SEEDS, VARIANTS, variants
from benchmarks.accuracy import page
from benchmarks.accuracy.page import results_page
from benchmarks.cross_validation import FINALISTS, FOLDS, finalists
from benchmarks.trials import trials_in

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == results_page(), "run python -m benchmarks.accuracy page"


def test_every_variant_was_trained_by_the_recipe_that_ships() -> None:
    runs = {(run.variant, run.seed): run.recipe for run in trials_in(ablation.FILE, ablation.Run)}
    assert runs == {(variant, recipe.seed): recipe.digest for variant, recipe in variants()}
    assert len(runs) == len(VARIANTS) * len(SEEDS)


def test_every_finalist_was_judged_on_all_training_images_by_the_recipe_that_ships() -> None:
    done = trials_in(cross_validation.FILE, cross_validation.FoldRun)
    runs = {(run.finalist, run.fold): run.recipe for run in done}
    assert runs == {(finalist, recipe.fold): recipe.digest for finalist, recipe in finalists()}
    assert len(runs) == len(FINALISTS) * FOLDS
    for finalist in FINALISTS:
        assert sum(run.images for run in done if run.finalist == finalist) == 540


def test_the_page_shows_a_cross_validation_that_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = json.loads(cross_validation.FILE.read_bytes())[:1]
    begun = tmp_path / "begun.json"
    begun.write_text(json.dumps(first))
    monkeypatch.setattr(page, "CROSS_VALIDATIONS", begun)
    assert f"| {first[0]['finalist']} | " in results_page()
    assert "1 of 1 |" in results_page()
