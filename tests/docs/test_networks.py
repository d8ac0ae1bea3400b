"""docs/networks.md tells of every network what the code does, and its examples run."""

from __future__ import annotations

import doctest
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch

from models.networks.build import NETWORKS, build
from models.networks.cost import cost
from tests.models.networks.published import GIGA_MACS, PARAMETERS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "networks.md"
ROW = re.compile(r"^\| \[`([\w.-]+)`\]\(#([\w-]+)\) \|(.*)\|$", re.MULTILINE)
ROUNDING = 0.006


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@cache
def rows() -> dict[str, list[str]]:
    """Cells of the overview behind the name: paper, parameters, G MACs, native size, multiple, maps."""
    return {name: [cell.strip() for cell in rest.split("|")] for name, _, rest in ROW.findall(page())}


def maps_of(name: str) -> tuple[int, int]:
    """Size multiple and number of maps of a network."""
    with torch.device("meta"), torch.no_grad():
        network = build(name, width=0.25).eval()
        return network.size_multiple, len(network(torch.empty(1, 3, 64, 64)).maps)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_overview_has_every_network_with_its_figures(name: str) -> None:
    spec = NETWORKS[name]
    _, parameters, giga_macs, native_size, multiple, maps = rows()[name]
    published = PARAMETERS.get(name) or cost(name).parameters
    assert parameters == f"{published:,}"
    expected = GIGA_MACS.get((name, spec.native_size)) or cost(name).macs / 1e9
    assert float(giga_macs) == pytest.approx(expected, rel=ROUNDING)
    assert int(native_size) == spec.native_size
    size_multiple, count = maps_of(name)
    assert int(multiple) == size_multiple
    assert maps == ("final" if count == 1 else f"final + {count - 1}")


def test_the_overview_has_no_other_network() -> None:
    assert list(rows()) == list(NETWORKS)


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", page(), re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", page()):
        assert target[1:] in headings if target.startswith("#") else (DOCS / target).is_file(), target


def test_what_is_named_in_the_code_is_there() -> None:
    named = re.findall(r"`(\w+)\.py`: ((?:`[\w.=]+(?:\([^`]*\))?`(?:, )?)+)", page())
    assert len(named) > 20
    for module, names in named:
        found = import_module(f"models.networks.{module}")
        for name in re.findall(r"`(\w+)", names):
            assert hasattr(found, name) or any(hasattr(part, name) for part in vars(found).values()), name


def test_its_examples_run() -> None:
    example = doctest.DocTestParser().get_doctest(page(), {}, PAGE.name, str(PAGE), 0)
    failures, tried = doctest.DocTestRunner().run(example)
    assert tried > 5
    assert failures == 0


@pytest.mark.parametrize(
    "call", sorted(set(re.findall(r"`(build\(\"[^`]+\))`", PAGE.read_text(encoding="utf-8"))))
)
def test_every_network_can_be_built_as_the_page_says(call: str) -> None:
    without_download = call.replace(", pretrained=True", "")
    with torch.device("meta"):
        assert eval(without_download, {"build": build}).eval()  # noqa: S307  # our own page
