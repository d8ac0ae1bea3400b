"""The pair of maps that the reference values of the losses were measured on."""

from __future__ import annotations

import torch
from torch import Tensor


def oracle_maps() -> tuple[Tensor, Tensor]:
    """A stretched ramp as probabilities and a rectangle as target, (1, 1, 32, 32) float64."""
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    probabilities = 0.1 + 0.8 * ((7 * rows + 3 * columns) % 32) / 31
    targets = ((rows >= 8) & (rows < 24) & (columns >= 10) & (columns < 26)).double()
    return probabilities.double()[None, None], targets[None, None]


def random_logits(count: int = 2, side: int = 12) -> Tensor:
    """Logits (count, 1, side, side) float64 with no two alike, that want a gradient."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(count, 1, side, side, generator=generator, dtype=torch.float64)
    return logits.requires_grad_()


def random_targets(count: int = 2, side: int = 12) -> Tensor:
    """Soft targets of the same shape, a rectangle in each at full value."""
    generator = torch.Generator().manual_seed(6)
    targets = torch.rand(count, 1, side, side, generator=generator, dtype=torch.float64) * 0.2
    targets[:, :, 3:9, 2:7] = 1
    return targets
