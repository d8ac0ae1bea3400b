"""Every metric of the field for maps that come one at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.metrics.scores import Curves, ImageScores, SetScores


class Evaluation:
    """Sums of scores and curves over images: memory does not grow with the set."""

    def add(self, prediction: NDArray[np.uint8], mask: NDArray[np.uint8]) -> ImageScores:
        """Score one (H, W) uint8 saliency map against its (H, W) uint8 mask and count it in.

        Raises:
            EvaluationError: another shape or dtype, sizes that differ, or no pixel at all.
        """
        raise NotImplementedError

    def scores(self) -> SetScores:
        """Return the scores of the set.

        Raises:
            EvaluationError: nothing was added.
        """
        raise NotImplementedError

    def curves(self) -> Curves:
        """Return the curves of the set, averaged over its images.

        Raises:
            EvaluationError: nothing was added.
        """
        raise NotImplementedError

    def merge(self, other: Evaluation) -> None:
        """Count in all that another evaluation was given, as if it had been added here."""
        raise NotImplementedError
