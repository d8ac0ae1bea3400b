"""The gate's card shows what `python -m benchmarks.gate` measured of the gate that ships."""

from __future__ import annotations

import json
from pathlib import Path

import benchmarks.gate
from models.weights import locate
from models.weights.files import read_weights

ROOT = Path(__file__).parents[2]
MEASURED = json.loads(Path(benchmarks.gate.__file__).with_suffix(".json").read_text("utf-8"))


def test_the_figures_are_of_the_gate_that_ships() -> None:
    _, info = read_weights(locate("gate"))
    assert MEASURED["gate"]["digest"] == info.digest
    assert MEASURED["gate"]["threshold"] == info.gate_threshold


def test_the_card_shows_them() -> None:
    card = (ROOT / "docs" / "cards" / "gate.md").read_text("utf-8")
    sources = MEASURED["at threshold"]
    public, coils, severstal = (
        sources[name] for name in ("public test images", "simulated coils", "severstal")
    )
    share = severstal["clean_passed"] / severstal["clean"]
    for row in (
        f"| {public['defective']:,} | {public['missed']} |",
        f"| {coils['defective']:,} | {coils['missed']} ({coils['missed'] / coils['defective']:.2%}) |",
        f"| {coils['clean']:,} | {coils['clean_passed']:,} ({coils['clean_passed'] / coils['clean']:.1%}) |",
        f"| {severstal['clean']} | {severstal['clean_passed']} ({share:.0%}) |",
        f"| {severstal['defective']} | {severstal['missed']} |",
    ):
        assert row.replace("%", " %") in card
