"""The figures of docs/networks.md show the networks as they are, and legibly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from models.networks.build import NETWORKS
from scripts.network_figures.drawing import draw
from scripts.network_figures.families import FIGURES
from scripts.network_figures.graph import BlockGraph
from scripts.network_figures.parts import Figure, Part
from scripts.network_figures.picture import Picture, picture
from scripts.network_figures.record import block_graph
from scripts.network_figures.routing import runs_through

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures" / "networks"
MAX_BYTES = 150_000
BY_NAME = {figure.network: figure for figure in FIGURES}
every_figure = pytest.mark.parametrize("network", BY_NAME)


@cache
def graph_of(network: str) -> BlockGraph:
    return block_graph(BY_NAME[network])


@cache
def picture_of(network: str) -> Picture:
    return picture(BY_NAME[network], graph_of(network))


def reads(graph: BlockGraph) -> set[tuple[str, str]]:
    """Names of the blocks at both ends of each flow."""
    names = [block.part.name for block in graph.blocks]
    return {(names[flow.source], names[flow.target]) for flow in graph.flows}


@every_figure
def test_the_committed_figure_shows_the_network_as_it_is(network: str) -> None:
    drawn = (FOLDER / f"{network}.svg").read_text(encoding="utf-8")
    assert picture_of(network).digest in drawn, "run scripts/network-figures"
    assert f"{NETWORKS[network].native_size}²" in drawn or network.startswith("csnet")
    assert len(drawn.encode()) < MAX_BYTES


def test_there_is_a_figure_of_every_family_and_no_other() -> None:
    assert {spec.maker for spec in NETWORKS.values()} == {NETWORKS[name].maker for name in BY_NAME}
    assert {file.stem for file in FOLDER.glob("*.svg")} == set(BY_NAME)


@every_figure
def test_boxes_stand_apart_and_no_arrow_runs_through_one(network: str) -> None:
    shown = picture_of(network)
    for one, other in combinations(shown.boxes, 2):
        beside = one.right < other.left or other.right < one.left
        assert beside or one.bottom < other.top or other.bottom < one.top
    for arrow in shown.arrows:
        for index, box in enumerate(shown.boxes):
            if index not in {arrow.source, arrow.target}:
                assert not any(runs_through(piece, box, margin=1) for piece in pairwise(arrow.points))


def test_basnet_is_a_u_with_its_refinement_added_to_the_coarse_map() -> None:
    found = reads(graph_of("basnet"))
    for number, encoder in enumerate(("layer1", "layer2", "layer3", "layer4", "stage 5", "stage 6"), start=1):
        assert (encoder, f"decoder {number}") in found
    assert {("bridge", "decoder 6"), ("decoder 2", "decoder 1")} <= found
    assert {("decoder 1", "entry"), ("residual", "+"), ("decoder 1", "+"), ("+", "final")} <= found


def test_cat_ednet_decodes_what_its_transformer_gives() -> None:
    graph = graph_of("cat-ednet")
    (transformer,) = (block for block in graph.blocks if block.part.name == "CAT")
    assert transformer.parameters == 85_940_224
    assert [shape.height for shape in transformer.shapes] == [256, 128, 64, 32, 16]
    found = reads(graph)
    assert ("CAT", "CWB\n2 RDB") in found
    assert ("layer4", "bridge") in found
    assert not any(("layer" in source and "CWB" in target) for source, target in found)


def test_sides_are_where_the_network_says() -> None:
    found = [(block.part.name, block.sides) for block in graph_of("u2net").blocks if block.sides]
    names = ("RSU-4F", "RSU-4F", "RSU-4", "RSU-5", "RSU-6", "RSU-7")
    assert found == [(name, (place,)) for name, place in zip(names, (5, 4, 3, 2, 1, 0), strict=True)]
    assert graph_of("u2net").head_parameters == 13_830


def test_pfanet_gates_its_low_level_features() -> None:
    found = reads(graph_of("pfanet"))
    assert {("spatial\nattention", "×"), ("channel\nattention", "×"), ("×", "head")} <= found  # noqa: RUF001


def test_parts_that_leave_out_parameters_are_refused() -> None:
    figure = Figure("pfanet", "half", (Part("backbone", "encoder", ("backbone",)),))
    with pytest.raises(ValueError, match=r"pfanet: expected 16184999 parameters in its parts, got \d+"):
        block_graph(figure)


def test_drawing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    def files() -> Iterator[Path]:
        for name in ("first.svg", "second.svg"):
            draw(picture_of("pfanet"), tmp_path / name)
            yield tmp_path / name

    first, second = files()
    assert first.read_bytes() == second.read_bytes()
