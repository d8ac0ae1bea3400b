"""The evaluation of all pairs of two folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.evaluation.pairs import Pair, load_pair
from models.evaluation.worst import WorstImage, WorstImages
from models.metrics import Curves, Evaluation, ImageScores, SetScores


@dataclass(frozen=True, slots=True)
class FolderEvaluation:
    """What two folders give.

    Attributes:
        scores: of the set.
        curves: of the set.
        images: name and scores of every image, in the order of the pairs.
        worst: the images of lowest IoU that have an error at all, worst first.
    """

    scores: SetScores
    curves: Curves
    images: tuple[tuple[str, ImageScores], ...]
    worst: tuple[WorstImage, ...]


def evaluate_pairs(pairs: Sequence[Pair], progress: Callable[[], object] = lambda: None) -> FolderEvaluation:
    """Evaluate pairs one after another; no two are in memory at once.

    Args:
        progress: called after each pair.

    Raises:
        EvaluationError: no pairs, or one that cannot be compared.
        ImageFileError: a file that cannot be read any more.
    """
    evaluation, worst = Evaluation(), WorstImages()
    images: list[tuple[str, ImageScores]] = []
    for pair in pairs:
        prediction, mask = load_pair(pair)
        scores = evaluation.add(prediction, mask)
        worst.add(pair, prediction, mask, scores)
        images.append((pair.name, scores))
        progress()
    return FolderEvaluation(evaluation.scores(), evaluation.curves(), tuple(images), worst.ranked())
