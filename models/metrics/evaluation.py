"""Every metric of the field for maps that come one at a time."""

from __future__ import annotations

import statistics
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import EvaluationError
from models.metrics import confusion
from models.metrics.boundary import DISTANCES_PX, boundary_scores
from models.metrics.confusion import Confusion
from models.metrics.e_measure import e_measure
from models.metrics.levels import mean_error, quadrants, sum_counts
from models.metrics.pair import FOUND_OVER, Pair
from models.metrics.s_measure import s_measure
from models.metrics.scores import Curves, ImageScores, SetScores
from models.metrics.weighted_f import weighted_f

LEVELS = np.arange(256)
RAW_TABLE = LEVELS / 255
"""Values of the levels of a map as it is."""

_CURVES = tuple(field.name for field in fields(Curves))
_FIGURES_BY_PX = ("boundary_f_by_px", "boundary_iou_by_px")
_FIGURES = tuple(field.name for field in fields(ImageScores) if field.name not in _FIGURES_BY_PX)


class Evaluation:
    """Sums of scores and curves over images: memory does not grow with the set."""

    def __init__(self) -> None:
        self._images = 0
        self._figures = np.zeros(len(_FIGURES) + len(_FIGURES_BY_PX) * len(DISTANCES_PX))
        self._curves: dict[str, NDArray[np.float64]] = {name: np.zeros(256) for name in _CURVES}

    def add(self, prediction: NDArray[np.uint8], mask: NDArray[np.uint8]) -> ImageScores:
        """Score one (H, W) uint8 saliency map against its (H, W) uint8 mask and count it in.

        Raises:
            EvaluationError: another shape or dtype, sizes that differ, or no pixel at all.
        """
        scores, curves = _score(Pair(prediction, mask))
        self._images += 1
        self._figures += _flat(scores)
        for name in _CURVES:
            self._curves[name] += getattr(curves, name)
        return scores

    def scores(self) -> SetScores:
        """Return the scores of the set.

        Raises:
            EvaluationError: nothing was added.
        """
        curves = self.curves()
        means = _named(self._figures / self._images)
        of_curves = {"e_max": float(curves.e.max()), "f_max": float(curves.f.max())}
        return SetScores(**(means | of_curves), images=self._images)

    def curves(self) -> Curves:
        """Return the curves of the set, averaged over its images.

        Raises:
            EvaluationError: nothing was added.
        """
        if not self._images:
            raise EvaluationError("expected at least one map and its mask, got none")
        return Curves(**{name: total / self._images for name, total in self._curves.items()})


def _score(pair: Pair) -> tuple[ImageScores, Curves]:
    parts = quadrants(pair)
    counts = sum_counts(parts)
    curves = _curves(confusion.at_every_threshold(counts, pair.table))
    adaptive = confusion.where(pair.table >= pair.adaptive_threshold, counts)
    raw = confusion.where(LEVELS > FOUND_OVER, counts)
    boundary = boundary_scores((pair.prediction > FOUND_OVER).view(np.uint8), pair.foreground)
    scores = ImageScores(
        s_measure=s_measure(pair, parts),
        weighted_f=weighted_f(pair),
        mae=mean_error(counts, pair.table),
        e_mean=float(curves.e.mean()),
        e_max=float(curves.e.max()),
        e_adaptive=float(e_measure(adaptive)),
        f_mean=float(curves.f.mean()),
        f_max=float(curves.f.max()),
        f_adaptive=float(confusion.f_measure(adaptive)),
        mae_raw=mean_error(counts, RAW_TABLE),
        dice=1.0 if _is_clean(raw) else float(confusion.dice(raw)),
        iou=1.0 if _is_clean(raw) else float(confusion.iou(raw)),
        dice_mean=float(curves.dice.mean()),
        iou_mean=float(curves.iou.mean()),
        boundary_f=statistics.fmean(boundary.f),
        boundary_iou=statistics.fmean(boundary.iou),
        boundary_f_by_px=boundary.f,
        boundary_iou_by_px=boundary.iou,
    )
    return scores, curves


def _flat(scores: ImageScores) -> NDArray[np.float64]:
    """All figures one behind another, those by px last."""
    figures = [getattr(scores, name) for name in _FIGURES]
    return np.array([*figures, *scores.boundary_f_by_px, *scores.boundary_iou_by_px])


def _named(figures: NDArray[np.float64]) -> dict[str, Any]:
    scalars, by_px = np.split(figures, [len(_FIGURES)])
    boundary = by_px.reshape(len(_FIGURES_BY_PX), -1).tolist()
    return {
        **dict(zip(_FIGURES, scalars.tolist(), strict=True)),
        **dict(zip(_FIGURES_BY_PX, map(tuple, boundary), strict=True)),
    }


def _curves(found: Confusion) -> Curves:
    return Curves(
        precision=confusion.precision(found),
        recall=confusion.recall(found),
        f=confusion.f_measure(found),
        e=e_measure(found),
        iou=confusion.iou(found),
        dice=confusion.dice(found),
    )


def _is_clean(found: Confusion) -> bool:
    """Whether nothing was to be found and nothing was: right, and so 1, unlike 0 in the field's tools."""
    return found.foreground_px == 0 and int(found.found) == 0
