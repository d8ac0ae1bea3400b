"""Every metric of the field for maps that come one at a time."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import EvaluationError
from models.metrics import confusion
from models.metrics.boundary import boundary_scores
from models.metrics.confusion import Confusion
from models.metrics.e_measure import e_measure
from models.metrics.levels import mean_error, quadrants
from models.metrics.pair import FOUND_OVER, Pair
from models.metrics.s_measure import s_measure
from models.metrics.scores import Curves, ImageScores, SetScores
from models.metrics.weighted_f import weighted_f

LEVELS = np.arange(256)
RAW_TABLE = LEVELS / 255
"""Values of the levels of a map as it is."""

_CURVES = tuple(field.name for field in fields(Curves))
_FIGURES = tuple(field.name for field in fields(ImageScores))


class Evaluation:
    """Sums of scores and curves over images: memory does not grow with the set."""

    def __init__(self) -> None:
        self._images = 0
        self._figures: dict[str, Any] = dict.fromkeys(_FIGURES, 0.0)
        self._curves: dict[str, NDArray[np.float64]] = {name: np.zeros(256) for name in _CURVES}

    def add(self, prediction: NDArray[np.uint8], mask: NDArray[np.uint8]) -> ImageScores:
        """Score one (H, W) uint8 saliency map against its (H, W) uint8 mask and count it in.

        Raises:
            EvaluationError: another shape or dtype, sizes that differ, or no pixel at all.
        """
        scores, curves = _score(Pair(prediction, mask))
        self._images += 1
        for name in _FIGURES:
            self._figures[name] = np.add(self._figures[name], getattr(scores, name))
        for name in _CURVES:
            self._curves[name] += getattr(curves, name)
        return scores

    def scores(self) -> SetScores:
        """Return the scores of the set.

        Raises:
            EvaluationError: nothing was added.
        """
        curves = self.curves()
        means = {name: (total / self._images).tolist() for name, total in self._figures.items()}
        means = {name: tuple(mean) if isinstance(mean, list) else mean for name, mean in means.items()}
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

    def merge(self, other: Evaluation) -> None:
        """Count in all that another evaluation was given, as if it had been added here."""
        self._images += other._images
        for name in _FIGURES:
            self._figures[name] = np.add(self._figures[name], other._figures[name])
        for name in _CURVES:
            self._curves[name] = self._curves[name] + other._curves[name]


def _score(pair: Pair) -> tuple[ImageScores, Curves]:
    parts = quadrants(pair)
    counts = np.sum([part.counts for part in parts], axis=0)
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
        boundary_f=float(np.mean(boundary.f)),
        boundary_iou=float(np.mean(boundary.iou)),
        boundary_f_by_px=boundary.f,
        boundary_iou_by_px=boundary.iou,
    )
    return scores, curves


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
