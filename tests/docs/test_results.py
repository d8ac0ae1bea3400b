"""docs/results.md is what the committed evaluations say, and they are of the weights that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.evaluations import load, save
from benchmarks.accuracy.page import NARROW, accuracy_speed_svg, pruning_svg, published, results_page
from benchmarks.accuracy.protocols import PROTOCOLS, Protocol
from benchmarks.pruning import curves
from models.weights.files import read_weights
from models.weights.registry import available, locate

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_shows_the_evaluations() -> None:
    assert (DOCS / "results.md").read_text("utf-8") == results_page(), (
        "run python -m benchmarks.accuracy page"
    )
    assert (DOCS / "figures" / "accuracy-speed.svg").read_text("utf-8") == accuracy_speed_svg()
    assert not curves() or (DOCS / "figures" / "pruning.svg").read_text("utf-8") == pruning_svg()


@pytest.mark.parametrize(
    "protocol", [one for one in PROTOCOLS if not one.narrow], ids=lambda protocol: protocol.key
)
def test_every_shipped_network_is_evaluated_as_it_ships(protocol: Protocol) -> None:
    digests = {found.model: found.weights for found in load(protocol)}
    assert digests == {name: read_weights(locate(name))[1].digest for name in available()}


def test_networks_of_narrow_recipes_stand_apart_from_those_that_ship(tmp_path: Path) -> None:
    shipped, narrow = PROTOCOLS[0], next(one for one in PROTOCOLS if one.narrow)
    best = load(shipped)[0]
    save(best, shipped, tmp_path)
    assert NARROW not in results_page(tmp_path)
    save(best.model_copy(update={"model": "edrnet-narrow"}), narrow, tmp_path)
    above, _, below = results_page(tmp_path).partition(NARROW)
    assert f"| {best.model} |" in above
    assert "| edrnet-narrow |" in below
    assert "edrnet-narrow" not in above + accuracy_speed_svg(tmp_path)


def test_published_figures_are_of_a_protocol_and_say_where_they_come_from() -> None:
    for one in published():
        assert one.protocol in {protocol.key for protocol in PROTOCOLS}
        assert one.source
