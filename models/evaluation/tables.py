"""The figures of a set and of its images as JSON, CSV and LaTeX, and their names for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.image_files import shown
from models.metrics import ImageScores, SetScores

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is run as a formula by spreadsheets (OWASP, CSV injection)."""

LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and how it is named.

    Attributes:
        key: in JSON and CSV.
        name: in tables.
        latex: in LaTeX.
        basis: what it is computed on.
    """

    key: str
    name: str
    latex: str
    basis: str


_STRETCHED = "map stretched, as PySODMetrics"
_AS_IT_IS = "map as it is"
_OVER_HALF = "map as it is, over 127"

FIGURES = (
    Figure("s_measure", "S-measure", r"$S_\alpha$", _STRETCHED),
    Figure("weighted_f", "weighted F", r"$F_\beta^w$", _STRETCHED),
    Figure("mae", "MAE", r"$\mathrm{MAE}$", _STRETCHED),
    Figure("e_mean", "E-measure, mean", r"$E_\phi^{\mathrm{mean}}$", _STRETCHED),
    Figure("e_max", "E-measure, maximum", r"$E_\phi^{\mathrm{max}}$", _STRETCHED),
    Figure("e_adaptive", "E-measure, adaptive", r"$E_\phi^{\mathrm{adp}}$", _STRETCHED),
    Figure("f_mean", "F-measure, mean", r"$F_\beta^{\mathrm{mean}}$", _STRETCHED),
    Figure("f_max", "F-measure, maximum", r"$F_\beta^{\mathrm{max}}$", _STRETCHED),
    Figure("f_adaptive", "F-measure, adaptive", r"$F_\beta^{\mathrm{adp}}$", _STRETCHED),
    Figure("mae_raw", "MAE, raw", r"$\mathrm{MAE}_{\mathrm{raw}}$", _AS_IT_IS),
    Figure("dice", "Dice", r"$\mathrm{Dice}$", _OVER_HALF),
    Figure("iou", "IoU", r"$\mathrm{IoU}$", _OVER_HALF),
    Figure("boundary_f", "boundary F, mean of 1 to 5 px", r"$F_b$", _OVER_HALF),
    Figure("boundary_iou", "boundary IoU, mean of 1 to 5 px", r"$\mathrm{IoU}_b$", _OVER_HALF),
    Figure("dice_mean", "Dice, mean", r"$\mathrm{Dice}^{\mathrm{mean}}$", _STRETCHED),
    Figure("iou_mean", "IoU, mean", r"$\mathrm{IoU}^{\mathrm{mean}}$", _STRETCHED),
)

BY_PX = ("boundary_f_by_px", "boundary_iou_by_px")
"""Lists of five figures, for boundaries of 1 to 5 pixels."""


def set_json(scores: SetScores) -> str:
    """The figures of a set as one JSON object."""
    return _json({"images": scores.images, **_figures(scores)})


def set_csv(scores: SetScores) -> str:
    """The figures of a set as CSV: a header and one row."""
    return _csv([{"images": scores.images, **_flat(scores)}])


def set_latex(scores: SetScores, label: str) -> str:
    """The figures of a set as a LaTeX table of one row; rows of several sets stack.

    Args:
        label: first cell of the row.
    """
    head = " & ".join(["maps", *(figure.latex for figure in FIGURES)])
    row = " & ".join(
        [_latex_text(shown(label)), *(f"{getattr(scores, figure.key):.4f}" for figure in FIGURES)]
    )
    return "\n".join(
        (
            rf"\begin{{tabular}}{{l{'r' * len(FIGURES)}}}",
            r"\hline",
            rf"{head} \\",
            r"\hline",
            rf"{row} \\",
            r"\hline",
            r"\end{tabular}",
            "",
        )
    )


def images_json(images: Iterable[tuple[str, ImageScores]]) -> str:
    """The figures of images as a JSON list of objects, each with its `image`."""
    return _json([{"image": name, **_figures(scores)} for name, scores in images])


def images_csv(images: Iterable[tuple[str, ImageScores]]) -> str:
    """The figures of images as CSV, one row each; names that would run as a formula get an apostrophe."""
    return _csv([{"image": _cell(name), **_flat(scores)} for name, scores in images])


def _figures(scores: SetScores | ImageScores) -> dict[str, object]:
    figures: dict[str, object] = {figure.key: float(getattr(scores, figure.key)) for figure in FIGURES}
    return figures | {key: [float(value) for value in getattr(scores, key)] for key in BY_PX}


def _flat(scores: SetScores | ImageScores) -> dict[str, object]:
    figures: dict[str, object] = {figure.key: float(getattr(scores, figure.key)) for figure in FIGURES}
    for key in BY_PX:
        stem = key.removesuffix("_by_px")
        figures |= {f"{stem}_{px}px": float(value) for px, value in enumerate(getattr(scores, key), start=1)}
    return figures


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(rows: list[Mapping[str, object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_LEADS) else text


def _latex_text(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)
