"""Where the boxes of a figure stand: computation runs to the right, resolution falls downwards. In points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.network_figures.graph import Block, BlockGraph, Flow, Shape

ROW_PITCH = 70.0
BOX_HEIGHT = 49.0
LEFT = 62.0
"""Room for the resolutions of the rows."""
TOP = 78.0
"""Room for title and captions, and for a flow above the first row."""

GAP = 20.0
"""Between boxes of one row: an arrow must be seen."""
STEP = 12.0
"""From a box's edge to the middle of the next in another row: an arrow leaves here and enters there."""

NAME_SIZE = 9.5
TEXT_SIZE = 8.5
LEADING = 10.8
CHARACTER, BOLD_CHARACTER = 0.61, 0.68
"""Width of a character, as a share of its size, in the widest font that a reader is likely to have."""


@dataclass(frozen=True)
class Line:
    """A line of text: what, where its centre is, its size, whether bold."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False


@dataclass(frozen=True)
class Box:
    """A block in its place, centre and size, and the rows that it spans."""

    block: Block
    x: float
    y: float
    width: float
    height: float
    rows: tuple[int, ...]
    lines: tuple[Line, ...] = ()

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


def row_of(shape: Shape, image: Shape) -> int:
    """0 for the image's own size, 1 for half of it, and so on."""
    return (image.height // shape.height).bit_length() - 1


def row_y(row: int) -> float:
    """The middle of a row."""
    return TOP + BOX_HEIGHT / 2 + row * ROW_PITCH


def placed(graph: BlockGraph) -> tuple[Box, ...]:
    """Place the blocks: each right of what it reads and of what stands in its rows."""
    image = graph.blocks[0].shapes[0]
    boxes: list[Box] = []
    for index, block in enumerate(graph.blocks):
        into = [flow for flow in graph.flows if flow.target == index]
        span = _span(block, into, image)
        width, height = _size(block, len(span))
        sources = [boxes[flow.source] for flow in into]
        neighbours = [box for box in boxes if set(span) & set(box.rows)]
        x = max(
            [LEFT + width / 2, *(source.right + STEP for source in sources)]
            + [box.right + GAP + width / 2 for box in neighbours]
        )
        y = (row_y(span[0]) + row_y(span[-1])) / 2
        boxes.append(Box(block, x, y, width, height, tuple(span), _lines(block, image, x, span)))
    return tuple(boxes)


def _span(block: Block, into: Sequence[Flow], image: Shape) -> range:
    """From the finest map that a block gives to the coarsest that it gives or, if slim, takes."""
    given = [row_of(shape, image) for shape in block.shapes]
    taken = [row_of(flow.arrived, image) for flow in into if block.part.slim]
    return range(min(given), max([*given, *taken]) + 1)


def _size(block: Block, rows: int) -> tuple[float, float]:
    if block.part.role == "joint":
        return 15.0, 15.0
    names = [len(name) * NAME_SIZE * BOLD_CHARACTER for name in block.part.name.split("\n")]
    texts = [len(text) * TEXT_SIZE * CHARACTER for text in (*_shape_texts(block), *_details(block))]
    height = 29.0 if block.part.role in {"image", "final"} else BOX_HEIGHT
    width = max(34.0 if block.part.slim else 46.0, *names, *texts) + 6
    return width, height + (rows - 1) * ROW_PITCH


def _details(block: Block) -> list[str]:
    return [line for line in (block.repeats, short(block.parameters)) if line]


def _shape_texts(block: Block) -> list[str]:
    if block.part.slim:
        return [str(shape.channels) for shape in block.shapes]
    return [f"{shape.channels} @ {shape.height}²" for shape in block.shapes]


def _lines(block: Block, image: Shape, x: float, rows: Sequence[int]) -> tuple[Line, ...]:
    names = block.part.name.split("\n")
    shapes = _shape_texts(block)
    if len(rows) == 1:
        details = [] if block.part.role == "joint" else [*shapes, *_details(block)]
        return tuple(_stack(names, details, x, row_y(rows[0])))
    between = (row_y(rows[0]) + row_y(rows[0] + 1)) / 2
    return (
        *_stack(names, _details(block), x, between),
        *(
            Line(text, x, row_y(row_of(shape, image)), TEXT_SIZE)
            for text, shape in zip(shapes, block.shapes, strict=True)
        ),
    )


def _stack(names: Sequence[str], details: Sequence[str], x: float, y: float) -> list[Line]:
    """Lines about a middle, names first."""
    first = y - LEADING * (len(names) + len(details) - 1) / 2
    sizes = [NAME_SIZE] * len(names) + [TEXT_SIZE] * len(details)
    return [
        Line(text, x, first + place * LEADING, size, bold=place < len(names))
        for place, (text, size) in enumerate(zip([*names, *details], sizes, strict=True))
    ]


def short(count: int) -> str:
    """A count as people write it: 940, 37.1 K, 13.2 M."""
    if count < 1000:
        return str(count) if count else ""
    unit, size = ("M", 1e6) if count >= 999_500 else ("K", 1e3)
    value = count / size
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
