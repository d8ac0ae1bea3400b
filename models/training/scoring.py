"""Scores on held-out samples: what chooses between weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.data.folders import Sample
from models.data.normalisation import Normalisation
from models.networks.outputs import SaliencyNetwork

SIZE_PX = 256
"""Samples are scored at the size of a tile, as they will be inspected."""

BATCH = 4


@dataclass(frozen=True)
class Scores:
    """Means over samples.

    Attributes:
        iou: intersection over union at half saliency, of samples with a defect.
        mae: mean absolute error of saliency, all samples.
        clean_false_share: share of pixels taken for a defect in samples without one.
    """

    iou: float
    mae: float
    clean_false_share: float


def score_samples(
    network: SaliencyNetwork,
    samples: Sequence[Sample],
    normalise: Normalisation,
    device: torch.device,
) -> Scores:
    """Score a network in evaluation mode; no samples of a kind give 0 for it.

    Args:
        network: in evaluation mode, on the device.
        samples: never trained on.
        normalise: as in training.
        device: that computes.
    """
    overlaps: list[float] = []
    errors: list[float] = []
    false_shares: list[float] = []
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        for sample, saliency in zip(batch, _saliency(network, batch, normalise, device), strict=True):
            truth, found = sample.mask > 127, saliency > 0.5
            errors.append(float(np.abs(saliency - truth).mean()))
            if sample.is_clean:
                false_shares.append(float(found.mean()))
            else:
                overlaps.append(float((truth & found).sum() / (truth | found).sum()))
    return Scores(_mean(overlaps), _mean(errors), _mean(false_shares))


def _saliency(
    network: SaliencyNetwork, batch: Sequence[Sample], normalise: Normalisation, device: torch.device
) -> list[NDArray[np.float32]]:
    tiles = [cv2.resize(sample.image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR) for sample in batch]
    with torch.inference_mode():
        pixels = torch.from_numpy(np.stack(tiles)).to(device)
        maps = network(normalise(pixels, network.in_channels)).final.sigmoid()[:, 0].cpu().numpy()
    return [
        np.asarray(cv2.resize(saliency, sample.image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        for sample, saliency in zip(batch, maps, strict=True)
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
