"""One picture of a run as SVG: loss, learning rate, and overlap on the held-out images over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.plots import CURVE, INK, SOFT, STYLE, svg, tidy

SIZE_INCHES = (7.2, 7.6)
STRIP_CURVE = "#c2571a"
FRAMES_CURVE = "#5b8c3a"


def run_svg(lines: Sequence[Mapping[str, Any]], title: str) -> str:
    """Return the curves of a run's log, its phases parted by lines and its best score marked."""
    steps = [line for line in lines if "loss" in line]
    scores = [line for line in lines if "score" in line]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        loss, rate, overlap = figure.subplots(3, 1, sharex=True)
        _curve(loss, steps, "loss", "loss")
        _curve(rate, steps, "rate", "learning rate")
        _overlap(overlap, scores)
        for axes in (loss, rate, overlap):
            _grid(axes, steps)
        loss.set_title(title, fontsize=10, color=INK)
        overlap.set_xlabel("step")
        return svg(figure)


def _curve(axes: Axes, lines: Sequence[Mapping[str, Any]], key: str, label: str) -> None:
    axes.plot([line["step"] for line in lines], [line[key] for line in lines], color=CURVE, linewidth=1.4)
    axes.set_ylabel(label)
    if any(line[key] > 0 for line in lines):
        axes.set_yscale("log")


def _overlap(axes: Axes, scores: Sequence[Mapping[str, Any]]) -> None:
    axes.set_ylabel("held-out IoU")
    at = [line["step"] for line in scores]
    for kind, colour in (("steel", CURVE), ("strip", STRIP_CURVE), ("frames", FRAMES_CURVE)):
        values = [line[kind]["iou"] if _tells(line, kind) else float("nan") for line in scores]
        if any(_tells(line, kind) for line in scores):
            axes.plot(at, values, color=colour, linewidth=1.4, marker="o", markersize=3, label=kind)
    best = [line for line in scores if line["best"]][-1:]
    for line in best:
        axes.axvline(line["step"], color=INK, linewidth=0.8, label=f"kept: step {line['step']}")
    if scores:
        axes.legend(fontsize=8, frameon=False, loc="lower right")


def _tells(line: Mapping[str, Any], kind: str) -> bool:
    """Whether a scoring has a figure of a kind, and of samples that do not train."""
    if kind == "steel":
        return not line["seen"]
    return kind in line and line[kind].get("defective", 1) > 0  # logs of before have no counts


def _grid(axes: Axes, steps: Sequence[Mapping[str, Any]]) -> None:
    tidy(axes)
    ends = [list(lines)[-1]["step"] for _, lines in groupby(steps, key=lambda line: line["phase"])]
    for end in ends[:-1]:
        axes.axvline(end, color=SOFT, linewidth=0.8, linestyle=":")
