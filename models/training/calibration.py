"""The threshold of a gate, fixed on held-out samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from models.data.folders import Sample
from models.data.normalisation import Normalisation
from models.errors import TrainingError
from models.losses.tile import LEAST_DEFECT_PX, tile_logits
from models.networks.outputs import SaliencyNetwork
from models.training.recipe import GateCalibration
from models.training.scoring import logits_of

PER_LOGIT = 100_000
"""Steps of a threshold."""


def gate_threshold(
    network: SaliencyNetwork,
    samples: Sequence[Sample],
    calibration: GateCalibration,
    normalise: Normalisation,
    device: torch.device,
) -> float:
    """Return the logit from which a gate lets tiles through.

    It is as high as lets the wanted share of clean tiles through, and lower where that would hold back more
    than the allowed share of the defective ones.

    Args:
        network: in evaluation mode, on the device.
        samples: held out, with and without defects; those with too few marked pixels to count are left out.
        calibration: the two shares.
        normalise: as in training.
        device: that computes.

    Raises:
        TrainingError: no clean or no defective samples.
    """
    clean: list[float] = []
    defective: list[float] = []
    for sample, logits in logits_of(network, samples, normalise, device):
        score = float(tile_logits(logits[None, None])[0])
        if sample.is_clean:
            clean.append(score)
        elif np.count_nonzero(sample.mask) >= LEAST_DEFECT_PX:
            defective.append(score)
    if not clean or not defective:
        raise TrainingError(
            "a gate's threshold needs held-out samples of both kinds: "
            f"got {len(clean)} clean and {len(defective)} defective"
        )
    passing = float(np.quantile(clean, 1 - calibration.clean_share))
    missing = float(np.quantile(defective, calibration.missed_share, method="lower"))
    # Rounded down: the tile that decides has to pass.
    return math.floor(min(passing, missing) * PER_LOGIT) / PER_LOGIT
