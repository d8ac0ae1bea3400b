"""Scores on held-out samples: what chooses between weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from models.data.folders import MARKED_OVER, Sample
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
        defective: samples with a defect.
        clean: samples without one.
    """

    iou: float
    mae: float
    clean_false_share: float
    defective: int = 0
    clean: int = 0


def score_samples(
    network: SaliencyNetwork,
    samples: Sequence[Sample],
    normalise: Normalisation,
    device: torch.device,
    sharpness: float = 1.0,
) -> Scores:
    """Score a network in evaluation mode; no samples of a kind give 0 for it.

    Args:
        network: in evaluation mode, on the device.
        samples: never trained on.
        normalise: as in training.
        device: that computes.
        sharpness: of the weights in use.
    """
    overlaps: list[float] = []
    errors: list[float] = []
    false_shares: list[float] = []
    for sample, logits in logits_of(network, samples, normalise, device):
        saliency = cv2.resize(
            (logits * sharpness).sigmoid().numpy(), sample.image.shape[::-1], interpolation=cv2.INTER_LINEAR
        )
        truth, found = sample.mask > MARKED_OVER, saliency > 0.5
        errors.append(float(np.abs(saliency - truth).mean()))
        if sample.is_clean:
            false_shares.append(float(found.mean()))
        else:
            overlaps.append(float((truth & found).sum() / (truth | found).sum()))
    return Scores(
        _mean(overlaps), _mean(errors), _mean(false_shares), defective=len(overlaps), clean=len(false_shares)
    )


def logits_of(
    network: SaliencyNetwork, samples: Sequence[Sample], normalise: Normalisation, device: torch.device
) -> Iterator[tuple[Sample, Tensor]]:
    """Give each sample with its logits (T, T), float32 on the CPU, as a tile of the size of inspection."""
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        size = (SIZE_PX, SIZE_PX)
        tiles = [cv2.resize(sample.image, size, interpolation=cv2.INTER_LINEAR) for sample in batch]
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(tiles)).to(device)
            logits = network(normalise(pixels, network.in_channels)).final[:, 0].float().cpu()
        yield from zip(batch, logits, strict=True)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
