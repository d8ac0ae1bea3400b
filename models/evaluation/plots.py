"""Curves of a set as SVG: precision over recall, and F-measure over threshold."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.metrics import Curves, SetScores
from models.metrics.confusion import F_BETA_SQUARED

SIZE_INCHES = (5.2, 4.2)
INK, CURVE, SOFT = "#16202a", "#1769c2", "#aab4be"
LEVELS = (0.2, 0.4, 0.6, 0.8)
"""F-measures whose lines lie behind the PR curve."""
LINE_POINTS = 200

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "coilwatch",  # else ids are random and equal figures differ
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def precision_recall_svg(curves: Curves) -> str:
    """Precision over recall at thresholds 0 to 255, with lines of equal F-measure behind it."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("recall", "precision")
        for level in LEVELS:
            recall, precision = equal_f(level)
            axes.plot(recall, precision, color=SOFT, linewidth=0.7, linestyle=":")
            axes.annotate(f"F {level:g}", (recall[-1], precision[-1]), color=SOFT, fontsize=7)
        axes.plot(curves.recall, curves.precision, color=CURVE, linewidth=1.8)
        axes.set(xlim=(0, 1.0), ylim=(0, 1.02))
        return svg(figure)


def f_measure_svg(curves: Curves, scores: SetScores) -> str:
    """F-measure over threshold, its maximum marked."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("threshold", "F-measure")
        best = int(np.argmax(curves.f))
        axes.plot(np.arange(len(curves.f)), curves.f, color=CURVE, linewidth=1.8)
        axes.plot(best, curves.f[best], "o", color=CURVE, markersize=5)
        axes.set_title(
            f"maximum {scores.f_max:.4f} at {best}, mean {scores.f_mean:.4f}", fontsize=9, color=INK
        )
        axes.set(xlim=(0, 255), ylim=(0, 1.02))
        return svg(figure)


def equal_f(level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recalls, ascending to 1, and the precisions that give one F-measure with them."""
    at_full_precision = level * F_BETA_SQUARED / (1 + F_BETA_SQUARED - level)
    recall = np.linspace(at_full_precision, 1, LINE_POINTS)
    return recall, level * recall / ((1 + F_BETA_SQUARED) * recall - level * F_BETA_SQUARED)


def tidy(axes: Axes) -> None:
    """A pale grid behind curves, and no frame above and to the right of them."""
    axes.grid(visible=True, color="#e3e8ed", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def svg(figure: Figure) -> str:
    """A figure as SVG, the same text for equal figures where the style has a salt for ids."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _axes(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot(xlabel=horizontal, ylabel=vertical)
    tidy(axes)
    return figure, axes
