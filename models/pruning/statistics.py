"""The statistics of batch normalisation, made anew by passes over training images.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), whose
fine-tuning, as released, does only this.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def reestimate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace every running mean and variance by the mean over batches; the network keeps its mode.

    Args:
        network: that takes such batches.
        batches: normalised images (N, C, H, W), at least one batch.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    for norm in norms:
        norm.reset_running_stats()
        # None takes the mean over all batches alike.
        norm.momentum = None
    network.train()
    for images in batches:
        network(images)
    network.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
