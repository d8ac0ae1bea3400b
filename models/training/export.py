"""Weights files of a run: its best averaged weights, with what they reach and how to make them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.networks.outputs import SaliencyNetwork
from models.training.recipe import Recipe
from models.training.structure import structure_of
from models.training.watching import Standing, Watcher
from models.weights.files import WeightsInfo, save_weights, weights_of

DIGITS = 5
"""Of the figures in the metadata."""


class Exporter(Watcher):
    """Writes the best weights of the phase that runs; the last phase's stay.

    Args:
        path: of the file.
        recipe: of the run.
        data: what trains, in words.
        command: that makes these weights again.
        threshold: of a gate, from its network; None for weights that are no gate.
    """

    def __init__(
        self,
        path: Path,
        recipe: Recipe,
        data: str,
        command: str,
        threshold: Callable[[SaliencyNetwork], float] | None = None,
    ) -> None:
        self._path = path
        self._recipe = recipe
        self._data = (
            data if recipe.normalisation == "steel" else f"{data}, normalised as {recipe.normalisation}"
        )
        self._command = command
        self._threshold = threshold

    def on_score(self, standing: Standing, network: SaliencyNetwork) -> None:
        if not standing.is_best:
            return
        metrics: dict[str, float] = {}
        if not standing.seen:
            metrics["held-out steel iou"] = standing.steel.iou
            metrics["held-out steel mae"] = standing.steel.mae
        for kind, scores in (("strip", standing.strip), ("frames", standing.frames)):
            if scores is not None and scores.defective:
                metrics[f"held-out {kind} iou"] = scores.iou
            if scores is not None and scores.clean:
                metrics[f"held-out clean {kind} false share"] = scores.clean_false_share
        width, knobs = structure_of(self._recipe, network)
        info = WeightsInfo(
            network=self._recipe.network,
            width=width,
            knobs=knobs,
            version=f"{self._recipe.name}.{standing.step}",
            data=self._data,
            recipe=self._command,
            sharpness=self._recipe.sharpness,
            gate_threshold=self._threshold(network) if self._threshold else None,
            metrics={name: round(value, DIGITS) for name, value in metrics.items()},
        )
        save_weights(self._path, weights_of(network, half=self._recipe.half_precision), info)
