"""Everything that a figure shows and where, before any library draws it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from models.networks.build import NETWORKS
from scripts.network_figures.graph import BlockGraph
from scripts.network_figures.layout import Box, placed
from scripts.network_figures.parts import Figure
from scripts.network_figures.routing import Arrow, routed


@dataclass(frozen=True)
class Picture:
    """A laid-out figure.

    Attributes:
        figure: what it is of.
        side_px: of the image.
        boxes: in the order of computation.
        arrows: between them.
        head_parameters: of the heads of supervised maps, which are no boxes.
    """

    figure: Figure
    side_px: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    head_parameters: int

    @property
    def digest(self) -> str:
        """SHA-256 of all of this: the same wherever it is drawn, and by whatever."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def picture(figure: Figure, graph: BlockGraph) -> Picture:
    """Lay out a network that `block_graph` has found the blocks of."""
    boxes = placed(graph)
    return Picture(
        figure, NETWORKS[figure.network].native_size, boxes, routed(graph, boxes), graph.head_parameters
    )
