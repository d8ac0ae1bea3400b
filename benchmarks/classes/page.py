"""docs/classes.md and its pictures, from a committed evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.classes.evaluations import ClassEvaluation, SetFigures
from models.classes.recipe import ClassRecipe
from models.evaluation.plots import CURVE, INK, svg, tidy

TEXT = Path(__file__).with_name("page.md")
STYLE: dict[Any, Any] = {"svg.hashsalt": "coilwatch", "font.size": 9, "axes.edgecolor": INK}
DARK_CELL = 0.5
"""Share of a row from which its cell is too dark for dark ink."""


def classes_page(evaluation: ClassEvaluation, recipe: ClassRecipe) -> str:
    """The page as Markdown: `page.md` with its tables filled in."""
    machine = evaluation.machine
    return TEXT.read_text("utf-8").format(
        model=evaluation.model,
        version=evaluation.version,
        parameters=f"{evaluation.parameters:,}",
        megabytes=f"{evaluation.file_bytes / 1e6:.1f}",
        finding_ms=f"{evaluation.finding_ms:.1f}",
        machine=f"{machine.processor} ({', '.join(machine.flags)})",
        temperature=f"{evaluation.temperature:.2f}",
        least_confidence=f"{evaluation.least_confidence:.3f}",
        least_precision=f"{100 * recipe.least_precision:.0f} %",
        labels=_labels(recipe),
        sets=_table([one for one in evaluation.sets if one.confusion]),
        strange=_strange([one for one in evaluation.sets if not one.confusion]),
        by_class=_by_class(evaluation),
    )


def confusion_svg(evaluation: ClassEvaluation, sets: Sequence[SetFigures]) -> str:
    """The confusion matrix of several sets together, rows by true class."""
    counts = np.sum([one.confusion for one in sets], axis=0)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        axes = figure.add_subplot(xlabel="taken for", ylabel="true class")
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        names = evaluation.classes
        axes.set_xticks(range(len(names) + 1), [*names, "unknown"], rotation=35, ha="right")
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > DARK_CELL else INK
                axes.text(column, row, str(count), ha="center", va="center", color=ink)
        return svg(figure)


def reliability_svg(sets: Sequence[SetFigures]) -> str:
    """Accuracy over confidence of several sets together, and how many findings lie in each bin."""
    counts = np.array([[one.count for one in each.bins] for each in sets])
    total = np.maximum(1, counts.sum(axis=0))
    accuracy = _mean([[one.accuracy for one in each.bins] for each in sets], counts, total)
    confidence = _mean([[one.confidence for one in each.bins] for each in sets], counts, total)
    seen = counts.sum(axis=0) > 0
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel="confidence", ylabel="share that is right")
        tidy(axes)
        axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1)
        lows = np.array([one.low for one in sets[0].bins])
        axes.bar(lows[seen] + 0.05, accuracy[seen], width=0.09, color=CURVE, alpha=0.35)
        axes.plot(confidence[seen], accuracy[seen], "o", color=CURVE)
        for at, height, count in zip(confidence[seen], accuracy[seen], counts.sum(axis=0)[seen], strict=True):
            axes.annotate(str(count), (at, height), xytext=(0, 6), textcoords="offset points", ha="center")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.08))
        return svg(figure)


def real_sets(evaluation: ClassEvaluation) -> list[SetFigures]:
    """The held-back real images by the maps of the first network: what the pictures show."""
    return [one for one in evaluation.sets if one.key in ("steel-coilnet-m", "hot-rolled-coilnet-m")]


def _mean(
    values: list[list[float]], counts: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    means: NDArray[np.float64] = (np.array(values) * counts).sum(axis=0) / total
    return means


def _labels(recipe: ClassRecipe) -> str:
    by_class: dict[str, list[str]] = {name: [] for name in recipe.classes}
    for label, said in recipe.labels.items():
        by_class[said.defect_class].append(f"`{label}`")
    rows = [f"| `{name}` | {', '.join(labels)} |" for name, labels in by_class.items()]
    return "\n".join(["| class | labels |", "|---|---|", *rows])


def _table(sets: Sequence[SetFigures]) -> str:
    heads = ("set", "findings", "likeliest class right", "named", "right of those named", "calibration error")
    rows = [
        (
            one.title,
            str(one.images),
            *map(_percent, (one.accuracy, one.named, one.accuracy_named, one.calibration_error)),
        )
        for one in sets
    ]
    return _markdown(heads, rows)


def _strange(sets: Sequence[SetFigures]) -> str:
    return _markdown(
        ("set", "findings", "called unknown"),
        [(one.title, str(one.images), _percent(1 - one.named)) for one in sets],
    )


def _by_class(evaluation: ClassEvaluation) -> str:
    counts = np.sum([one.confusion for one in real_sets(evaluation)], axis=0)
    rows = []
    for index, name in enumerate(evaluation.classes):
        total, right, unknown = int(counts[index].sum()), int(counts[index, index]), int(counts[index, -1])
        said = int(counts[:, index].sum())
        rows.append(
            (
                f"`{name}`",
                str(total),
                _percent(right / total if total else None),
                _percent(unknown / total if total else None),
                _percent(right / said if said else None),
            )
        )
    return _markdown(("class", "findings", "named rightly", "unknown", "right where it is said"), rows)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(heads)}", *lines[1:]])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
