"""Findings in, classes out: one trained classifier on the processor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.classes.calibration import CONFIDENCE_DECIMALS, probabilities
from models.classes.crops import CROP_PX, cut_crop, window_of
from models.classes.network import ClassNetwork
from models.classes.weights import ClassifierInfo, load_classifier, locate_classifier
from models.errors import BackendError, TileError
from models.inference.compiled_graph import CompiledGraph
from models.inference.graph_cache import cached, traced
from models.inference.openvino_runtime import the_core

UNKNOWN = "unknown"
"""The class of a finding that the classifier is not sure of."""

DEFAULT = "steel-classes"

IDENTITY = "openvino cpu fp32"
"""One back end and precision everywhere: a finding costs little, and its class should not depend on more."""

_FORMAT = 2
"""Grows when crops or the graph change: results and cached graphs of another format are others."""


@dataclass(frozen=True, slots=True)
class Classified:
    """What a finding was taken for.

    Attributes:
        defect_class: one of the classifier's, or `unknown`.
        confidence: calibrated share of findings like it that are of the likeliest class, 0 to 1; of that
            class even where it was not enough to name it.
    """

    defect_class: str
    confidence: float


class Classifier:
    """Tells the class of findings; any number of threads may call it at once.

    Make one with `Classifier.open`.

    Attributes:
        name: of the weights.
        version: of the weights.
        classes: that it knows.
        digest: 32 hex digits over all that decides a class: weights, class list, calibration, back end.
    """

    def __init__(self, network: ClassNetwork, name: str, info: ClassifierInfo, threads: int = 1) -> None:
        self._info = info
        core = the_core()
        example = torch.zeros((1, 2, CROP_PX, CROP_PX), dtype=torch.uint8)
        graph = cached(core, ["classes", _FORMAT, info.digest], lambda: traced(network, example))
        self._graph = CompiledGraph(core, graph, "fp32", threads)
        self.name = name
        self.version = info.version
        self.classes = info.classes
        facts = json.dumps([_FORMAT, info.digest, IDENTITY, CROP_PX, list(info.classes)])
        self.digest = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()

    @classmethod
    def open(cls, model: str | Path = DEFAULT, *, threads: int = 1) -> Classifier:
        """Load weights and make them ready to run.

        Args:
            model: a shipped name, or the path of a weights file.
            threads: processor threads of one call.

        Raises:
            WeightsError: no such weights, or not what they should be.
            BackendError: no thread.
        """
        if threads < 1:
            raise BackendError(f"threads: expected at least 1, got {threads}")
        network, info = load_classifier(model)
        return cls(network, locate_classifier(model).stem, info, threads)

    def classify(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], top: int = 0, left: int = 0
    ) -> Classified:
        """Tell the class of a finding.

        Args:
            pixels: the image around it, (H, W) uint8.
            mask: the finding's pixels in its box, (h, w).
            top: first row of the box in the image.
            left: its first column.

        Raises:
            TileError: not a grey uint8 image, or a mask without a pixel.
        """
        shares = self.shares(pixels, mask, top, left)
        likeliest = int(np.argmax(shares))
        # Rounded before it is compared, so that what is said and what is named never disagree.
        confidence = round(float(shares[likeliest]), CONFIDENCE_DECIMALS)
        sure = confidence >= self._info.least_confidence
        return Classified(self.classes[likeliest] if sure else UNKNOWN, confidence)

    def shares(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], top: int = 0, left: int = 0
    ) -> NDArray[np.float64]:
        """Calibrated probability of each class, (C,); arguments and errors as of `classify`."""
        if pixels.ndim != 2 or pixels.dtype != np.uint8 or not mask.any():
            raise TileError(
                f"expected an image (H, W) uint8 and a mask that marks something, got {pixels.shape} "
                f"{pixels.dtype} and {int(mask.sum())} pixels"
            )
        crop = cut_crop(pixels, mask, top, left, window_of(mask, top, left))
        return probabilities(self._graph.run(crop).astype(np.float64), self._info.temperature)
