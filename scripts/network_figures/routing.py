"""How the arrows of a figure run: along rows and up or down, never through a box if there is a way round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scripts.network_figures.graph import BlockGraph, Flow, Shape
from scripts.network_figures.layout import BOX_HEIGHT, ROW_PITCH, Box, row_of, row_y

Point = tuple[float, float]
Piece = tuple[Point, Point]

THROUGH, ON_TOP, ACROSS = 1000.0, 100.0, 20.0
"""How bad it is to run through a box, on top of another block's arrow or across it; every later choice of
path costs 1 more."""

APART = 8.0
"""Between arrows that arrive at the same side of a box."""

LANES = (0.5, 0.32, 0.68)
"""Where arrows run between two rows, as a share of the gap."""

CORNERS = (0.0, 0.16, -0.16)
"""Where arrows leave the top or bottom of a box, away from its middle, as a share of its width."""


@dataclass(frozen=True)
class Arrow:
    """A flow as a path of straight pieces; `is_map` where it has one channel."""

    points: tuple[Point, ...]
    source: int
    target: int
    is_map: bool


def routed(graph: BlockGraph, boxes: Sequence[Box]) -> tuple[Arrow, ...]:
    """Find a path for every flow, the short ones first: they have the fewest choices."""
    arrows: list[Arrow] = []
    for flow in sorted(graph.flows, key=lambda flow: abs(boxes[flow.target].x - boxes[flow.source].x)):
        paths = list(_paths(flow, graph.blocks[0].shapes[0], boxes))
        costs = [choice + _badness(path, flow, boxes, arrows) for choice, path in enumerate(paths)]
        best = tuple(paths[costs.index(min(costs))])
        arrows.append(Arrow(best, flow.source, flow.target, is_map=flow.left.channels == 1))
    return _spread(arrows)


def _paths(flow: Flow, image: Shape, boxes: Sequence[Box]) -> Iterator[list[Point]]:
    source, target = boxes[flow.source], boxes[flow.target]
    start, end = row_y(_row(flow.left, source, image)), row_y(_row(flow.arrived, target, image))
    if start == end:
        yield [(source.right, start), (target.left, end)]
        yield from _arcs(source, target, start)
        return
    if target.x > source.right:
        edge = target.top if end > start else target.bottom
        yield [(source.right, start), (target.x, start), (target.x, edge)]
    for before in (APART, 1.5 * APART):
        x = target.left - before
        if x > source.right:
            yield [(source.right, start), (x, start), (x, end), (target.left, end)]
    leaving = source.bottom if end > start else source.top
    for corner in CORNERS:
        x = source.x + corner * source.width
        if x < target.left:
            yield [(x, leaving), (x, end), (target.left, end)]


def _row(shape: Shape, box: Box, image: Shape) -> int:
    """Where a tensor leaves or meets a box: in the box's first row if it has none of its own there."""
    row = row_of(shape, image)
    return row if row in box.rows else box.rows[0]


def _arcs(source: Box, target: Box, y: float) -> Iterator[list[Point]]:
    for side in (-1, 1):
        leaving, arriving = (source.top, target.top) if side < 0 else (source.bottom, target.bottom)
        for lane in LANES:
            away = y + side * (BOX_HEIGHT / 2 + lane * (ROW_PITCH - BOX_HEIGHT))
            for corner in CORNERS:
                out, into = source.x - corner * source.width, target.x + corner * target.width
                yield [(out, leaving), (out, away), (into, away), (into, arriving)]


def _badness(path: Sequence[Point], flow: Flow, boxes: Sequence[Box], arrows: Sequence[Arrow]) -> float:
    pieces = list(pairwise(path))
    others = [box for index, box in enumerate(boxes) if index not in {flow.source, flow.target}]
    # Arrows from one block may share their beginning, and those into one block are spread afterwards.
    strangers = [arrow for arrow in arrows if arrow.source != flow.source and arrow.target != flow.target]
    drawn = [piece for arrow in strangers for piece in pairwise(arrow.points)]
    through = sum(runs_through(piece, box) for piece in pieces for box in others)
    on_top = sum(_runs_on_top(piece, other) for piece in pieces for other in drawn)
    across = sum(_meets(piece, other) for piece in pieces for other in drawn)
    return THROUGH * through + ON_TOP * on_top + ACROSS * across


def runs_through(piece: Piece, box: Box, margin: float = 3.0) -> bool:
    """Whether a piece of a path crosses a box, or comes nearer to it than a margin."""
    left, right, top, bottom = _extent(piece)
    return (
        right > box.left - margin
        and left < box.right + margin
        and bottom > box.top - margin
        and top < box.bottom + margin
    )


def _runs_on_top(one: Piece, other: Piece) -> bool:
    """Whether two pieces run beside each other for a while, too near to be told apart."""
    left, right, top, bottom = _overlap(one, other)
    return (right - left > 1 and abs(bottom - top) < APART / 2) or (
        bottom - top > 1 and abs(right - left) < APART / 2
    )


def _meets(one: Piece, other: Piece) -> bool:
    left, right, top, bottom = _overlap(one, other)
    return left <= right and top <= bottom


def _overlap(one: Piece, other: Piece) -> tuple[float, float, float, float]:
    """What two pieces share: left, right, top, bottom; a negative extent is how far they are apart."""
    a, b = _extent(one), _extent(other)
    return max(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), min(a[3], b[3])


def _extent(piece: Piece) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = piece
    return min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)


def _spread(arrows: Sequence[Arrow]) -> tuple[Arrow, ...]:
    """Set arrows apart that turn into the same side of a box: the longer its way up or down, the later."""
    arrivals: dict[Point, list[int]] = defaultdict(list)
    for index, arrow in enumerate(arrows):
        if len(arrow.points) == 3 and arrow.points[1][0] == arrow.points[2][0]:
            arrivals[arrow.points[2]].append(index)
    moved = list(arrows)
    for (x, y), indices in arrivals.items():
        indices.sort(key=lambda index: abs(arrows[index].points[0][1] - y))
        for place, index in enumerate(indices):
            arrow, at = arrows[index], x + APART * (place - (len(indices) - 1) / 2)
            start = arrow.points[0]
            moved[index] = Arrow(
                (start, (at, start[1]), (at, y)), arrow.source, arrow.target, is_map=arrow.is_map
            )
    return tuple(moved)
