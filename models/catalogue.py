"""Every network with its cost and the weights that ship for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from models.networks.build import NETWORKS
from models.networks.cost import cost, count_parameters
from models.weights.files import read_weights
from models.weights.registry import available, locate


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """Weights that come with the package.

    Attributes:
        name: as `models.weights.load` takes it.
        width: of the network they are for.
        parameters: of that network at that width.
        version: of the weights.
        data: what they were trained on.
        metrics: figures reached, by name.
    """

    name: str
    width: float
    parameters: int
    version: str
    data: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A published network.

    Attributes:
        name: as `models.networks.build.build` takes it.
        parameters: at width 1, without running statistics.
        macs: multiply-accumulates for one image of the native size.
        native_size: side in pixels of the square images that the paper tests with.
        weights: those that ship.
        source: authors, title, venue of the paper.
    """

    name: str
    parameters: int
    macs: int
    native_size: int
    weights: tuple[ShippedWeights, ...]
    source: str


@cache
def catalogue_entry(name: str) -> CatalogueEntry:
    """Describe a network; it is built without memory for its weights.

    Args:
        name: one of `NETWORKS`.

    Raises:
        WeightsError: shipped weights that are damaged.
    """
    spec, costs = NETWORKS[name], cost(name)
    return CatalogueEntry(
        name=name,
        parameters=costs.parameters,
        macs=costs.macs,
        native_size=spec.native_size,
        weights=_shipped().get(name, ()),
        source=spec.paper,
    )


@cache
def _shipped() -> dict[str, tuple[ShippedWeights, ...]]:
    """Shipped weights by the network they are for."""
    shipped: dict[str, tuple[ShippedWeights, ...]] = {}
    for name in available():
        _, info = read_weights(locate(name))
        parameters = count_parameters(info.network, width=info.width, **info.knobs)
        weights = ShippedWeights(name, info.width, parameters, info.version, info.data, info.metrics)
        shipped[info.network] = (*shipped.get(info.network, ()), weights)
    return shipped
