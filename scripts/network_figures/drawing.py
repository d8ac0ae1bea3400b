"""A figure as SVG, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path as Curve
from matplotlib.text import Text

from models.networks.cost import cost
from scripts.network_figures.graph import CONCATENATION
from scripts.network_figures.layout import BOX_HEIGHT, CHARACTER, ROW_PITCH, Box, Line, row_y
from scripts.network_figures.parts import TIMES, Role
from scripts.network_figures.picture import Picture
from scripts.network_figures.routing import Arrow, Point

COLOURS: dict[Role, tuple[str, str]] = {
    "image": ("#ffffff", "#4a5560"),
    "encoder": ("#dbe9f6", "#3b6ea5"),
    "context": ("#e6e0f3", "#6f58a8"),
    "attention": ("#fbe0e6", "#b8496a"),
    "decoder": ("#d9efe3", "#2f855a"),
    "refinement": ("#fdeccb", "#b7791f"),
    "head": ("#e8eaed", "#4a5560"),
    "joint": ("#ffffff", "#4a5560"),
    "final": ("#c8402f", "#8f2a20"),
}
"""Of each role: fill and edge."""

FEATURES, MAP, INK, PALE = "#66727d", "#c8402f", "#1f262d", "#8a949e"
MARGIN = 14.0
LEGEND = 30.0
CAPTION = 18.0
BADGE = 6.0
TURN = 5.0
"""Radius of an arrow's bends."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "coilwatch",
    "font.family": ["DejaVu Sans", "sans-serif"],
}
POINTS_PER_INCH = 72
DRAWN_BY = "scripts/network-figures"
LEGEND_SIZE = 9.0
SIDES = "supervised map: its place in SaliencyOutputs.sides"


def draw(picture: Picture, file: Path) -> None:
    """Write a figure as SVG (or PNG, by the file's name); its digest goes into the description."""
    rows = max(row for box in picture.boxes for row in box.rows) + 1
    below = max(y for arrow in picture.arrows for _, y in arrow.points)
    height = max(row_y(rows - 1) + BOX_HEIGHT / 2, below) + MARGIN + LEGEND
    with mpl.rc_context(STYLE):
        legend, legend_right = _legend(picture, height - LEGEND / 2)
        width = max([legend_right, *(box.right for box in picture.boxes)]) + MARGIN
        canvas = Canvas(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH))
        axes = canvas.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for artist in (
            *_rows(rows, picture.side_px, width),
            *_title(picture),
            *(_arrow(arrow) for arrow in picture.arrows),
            *(artist for box in picture.boxes for artist in _box(box)),
            *_captions(picture),
            *legend,
        ):
            axes.add_artist(artist)
        svg = (
            {"Date": None, "Creator": DRAWN_BY, "Description": picture.digest}
            if file.suffix == ".svg"
            else None
        )
        canvas.savefig(file, metadata=svg, dpi=150)


def _rows(rows: int, side_px: int, width: float) -> Iterator[Artist]:
    for row in range(rows):
        y = row_y(row)
        if row % 2 == 0:
            yield Rectangle((0, y - ROW_PITCH / 2), width, ROW_PITCH, color="#f6f8fa", zorder=0)
        size = side_px >> row
        yield _text(MARGIN, y - 6, f"1/{1 << row}" if row else "1", 9.5, bold=True, colour=PALE, align="left")
        yield _text(MARGIN, y + 5, f"{size}{TIMES}{size}", 7.5, colour=PALE, align="left")


def _title(picture: Picture) -> Iterator[Artist]:
    costs, side = cost(picture.figure.network), picture.side_px
    facts = [f"{costs.parameters:,} parameters", f"{costs.macs / 1e9:.3g} G MACs at {side}{TIMES}{side}"]
    if picture.head_parameters:
        facts.append(f"{picture.head_parameters:,} parameters in heads of supervised maps")
    yield _text(MARGIN, 17, picture.figure.title, 15, bold=True, align="left")
    yield _text(MARGIN, 37, " · ".join(facts), 9.5, colour=FEATURES, align="left")


def _box(box: Box) -> Iterator[Artist]:
    fill, edge = COLOURS[box.block.part.role]
    if box.block.part.role == "joint":
        yield Circle((box.x, box.y), box.width / 2, facecolor=fill, edgecolor=edge, linewidth=1, zorder=3)
    else:
        rounding = 11 if box.block.part.role in {"image", "final"} else 4
        yield FancyBboxPatch(
            (box.left, box.top),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=fill,
            edgecolor=edge,
            linewidth=1,
            zorder=3,
        )
    colour = "#ffffff" if box.block.part.role == "final" else INK
    for line in box.lines:
        yield _text(line.x, line.y, line.text, line.size, bold=line.bold, colour=colour)
    for place, side in enumerate(box.block.sides):
        yield from _badge(box.right - BADGE - place * 2.4 * BADGE, box.bottom, str(side))


def _badge(x: float, y: float, text: str) -> Iterator[Artist]:
    yield Circle((x, y), BADGE, facecolor=MAP, edgecolor="#ffffff", linewidth=0.8, zorder=5)
    yield _text(x, y, text, 7.5, bold=True, colour="#ffffff")


def _captions(picture: Picture) -> Iterator[Artist]:
    for caption, group in groupby(picture.boxes, key=lambda box: box.block.part.caption):
        boxes = list(group)
        if caption:
            left, right = min(box.left for box in boxes), max(box.right for box in boxes)
            top = min(box.top for box in boxes)
            pieces = [piece for arrow in picture.arrows for piece in pairwise(arrow.points)]
            # A flow may run over the boxes, between them and their caption.
            over = [y for (x0, y), (x1, _) in pieces if top - CAPTION < y < top and x0 < right and x1 > left]
            yield _text((left + right) / 2, min([top, *over]) - 9, caption, 9.5, bold=True, colour=FEATURES)


def _arrow(arrow: Arrow) -> Artist:
    return _arrow_line(arrow.points, MAP if arrow.is_map else FEATURES)


def _arrow_line(points: Sequence[Point], colour: str) -> Artist:
    return FancyArrowPatch(
        path=_rounded(points),
        arrowstyle="-|>,head_length=4,head_width=2",
        mutation_scale=1,
        color=colour,
        linewidth=1.1,
        joinstyle="round",
        capstyle="butt",
        shrinkA=0,
        shrinkB=0,
        zorder=2,
    )


def _rounded(points: Sequence[Point]) -> Curve:
    vertices, codes = [points[0]], [Curve.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [_towards(corner, before), corner, _towards(corner, after)]
        codes += [Curve.LINETO, Curve.CURVE3, Curve.CURVE3]
    return Curve([*vertices, points[-1]], [*codes, Curve.LINETO])


def _towards(corner: Point, other: Point) -> Point:
    (x0, y0), (x1, y1) = corner, other
    length = abs(x1 - x0) + abs(y1 - y0)
    share = min(TURN, length / 2) / length if length else 0.0
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def _legend(picture: Picture, y: float) -> tuple[list[Artist], float]:
    """The legend, and where it ends on the right."""
    x, drawn = MARGIN, list[Artist]()
    for role in dict.fromkeys(box.block.part.role for box in picture.boxes):
        if role not in {"image", "joint", "final"}:
            fill, edge = COLOURS[role]
            drawn.append(
                Rectangle((x, y - 5), 14, 10, facecolor=fill, edgecolor=edge, linewidth=0.8, zorder=3)
            )
            drawn.append(_text(x + 18, y, role, LEGEND_SIZE, align="left"))
            x += 18 + _legend_width(role)
    for colour, text in ((FEATURES, "features"), (MAP, "one channel")):
        drawn.append(_arrow_line(((x, y), (x + 18, y)), colour))
        drawn.append(_text(x + 22, y, text, LEGEND_SIZE, align="left"))
        x += 22 + _legend_width(text)
    if any(box.block.sides for box in picture.boxes):
        drawn.extend(_badge(x + BADGE, y, "0"))
        drawn.append(_text(x + 16, y, SIDES, LEGEND_SIZE, align="left"))
        x += 16 + _legend_width(SIDES)
    for box in picture.boxes:
        if box.block.part.name == CONCATENATION:
            drawn.extend(
                _box(replace(box, x=x + 7, y=y, lines=(Line("C", x + 7, y, LEGEND_SIZE, bold=True),)))
            )
            drawn.append(_text(x + 18, y, "concatenation", LEGEND_SIZE, align="left"))
            x += 18 + _legend_width("concatenation")
            break
    return drawn, x


def _legend_width(text: str) -> float:
    return len(text) * LEGEND_SIZE * CHARACTER + 14


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    colour: str = INK,
    align: Literal["left", "center"] = "center",
) -> Text:
    return Text(
        x,
        y,
        text,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        color=colour,
        horizontalalignment=align,
        verticalalignment="center",
        zorder=6,
    )
