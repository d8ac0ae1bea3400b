"""How sure a classifier may say that it is: temperature, reliability, and when it had better not say.

Source: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), sections 2 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 401))
"""Tried one by one: the same on every machine, and finer than validation images can tell."""

BINS = 10
DECIMALS = 4
CONFIDENCE_DECIMALS = 3
"""Of a confidence as it is said: more would say more than calibration can, and differ between processors."""
MOST_CONFIDENCE = 0.99
"""A threshold above it would call nearly everything unknown, whatever the validation images say."""

Logits = NDArray[np.float64]
Targets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Findings of like confidence.

    Attributes:
        low, high: the bin's confidences, half-open.
        count: how many fall into it.
        confidence: their mean; 0 of an empty bin.
        accuracy: share of them that are right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def probabilities(logits: Logits, temperature: float = 1.0) -> Logits:
    """Softmax of logits `(N, C)` over a temperature."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def fit_temperature(logits: Logits, targets: Targets) -> float:
    """Return the temperature of the greatest likelihood.

    Args:
        logits: `(N, C)` of images that never trained.
        targets: `(N,)`.
    """
    losses = [
        -np.log(probabilities(logits, temperature)[np.arange(len(targets)), targets] + 1e-12).mean()
        for temperature in TEMPERATURES
    ]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), DECIMALS)


def is_named(confidences: Logits, threshold: float) -> NDArray[np.bool_]:
    """Whether confidences `(N,)` reach a threshold as they are said, rounded."""
    reached: NDArray[np.bool_] = np.round(confidences, CONFIDENCE_DECIMALS) >= threshold
    return reached


def choose_threshold(confidences: Logits, right: NDArray[np.bool_], least_precision: float) -> float:
    """Return the lowest confidence from which so large a share is right.

    Args:
        confidences: `(N,)`, of the likeliest class.
        right: `(N,)`, whether it is the true one.
        least_precision: of all findings that are named at the returned confidence.
    """
    # Rounded down, so that the one at the threshold stays in.
    scale = 10**CONFIDENCE_DECIMALS
    tried = np.unique(np.floor(confidences * scale) / scale).tolist()
    good = (one for one in tried if right[is_named(confidences, one)].mean() >= least_precision)
    return min(MOST_CONFIDENCE, next(good, MOST_CONFIDENCE))


def reliability(confidences: Logits, right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: ten bins of equal width."""
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        inside = places == number
        count = int(inside.sum())
        bins.append(
            ReliabilityBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                count=count,
                confidence=round(float(confidences[inside].mean()), DECIMALS) if count else 0.0,
                accuracy=round(float(right[inside].mean()), DECIMALS) if count else 0.0,
            )
        )
    return tuple(bins)


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """The expected calibration error: distance of accuracy from confidence, weighted by count."""
    total = sum(one.count for one in bins)
    gaps = sum(one.count * abs(one.accuracy - one.confidence) for one in bins)
    return round(gaps / total, DECIMALS) if total else 0.0
