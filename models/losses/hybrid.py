"""The hybrid loss of BASNet, EDRNet and CAT-EDNet: pixel, patch and map level.

Source: Qin et al., "BASNet: Boundary-Aware Salient Object Detection" (CVPR 2019), section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.losses.supervision import supervise
from models.networks.outputs import SaliencyOutputs

SsimPadding = Literal["zero", "reflect"]
"""What lies beyond the border: zeros in the papers' code, which darkens the statistics of the outermost
5 px; the mirrored map where the border of a tile is no border of the strip."""

SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2


def ssim_loss(probabilities: Tensor, targets: Tensor, padding: SsimPadding = "zero") -> Tensor:
    """Return 1 - mean structural similarity over all pixels of (N, 1, H, W) maps.

    Args:
        probabilities: 0 to 1.
        targets: 0 to 1.
        padding: what the window sees beyond the border; "reflect" needs sides above 5 px.
    """
    maps = torch.cat([probabilities, targets])
    mean = _blur(maps, padding)
    variance = _blur(maps * maps, padding) - mean * mean
    covariance = _blur(probabilities * targets, padding) - mean[: len(targets)] * mean[len(targets) :]
    mean_p, mean_t = mean.chunk(2)
    variance_p, variance_t = variance.chunk(2)
    luminance = (2 * mean_p * mean_t + SSIM_C1) / (mean_p**2 + mean_t**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_p + variance_t + SSIM_C2)
    return 1 - (luminance * structure).mean()


def iou_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return the batch mean of 1 - soft intersection over union of (N, 1, H, W) maps.

    An empty target costs 1 whatever the prediction: clean images are the pixel loss's to teach.
    """
    intersection = (probabilities * targets).sum(dim=(1, 2, 3))
    union = probabilities.sum(dim=(1, 2, 3)) + targets.sum(dim=(1, 2, 3)) - intersection
    safe_union = torch.where(union > 0, union, torch.ones_like(union))
    return (1 - intersection / safe_union).mean()


class HybridLoss(nn.Module):
    """Weighted sum of the three losses over all supervised maps.

    Args:
        bce: weight of binary cross entropy.
        ssim: weight of the structural term; 0 leaves it out.
        iou: weight of the overlap term; 0 leaves it out.
        ssim_padding: what the structural term sees beyond the border.
        map_weights: the papers' alpha_k, the final map's first; without, every map counts 1 as in their code.
    """

    def __init__(
        self,
        bce: float = 1.0,
        ssim: float = 1.0,
        iou: float = 1.0,
        *,
        ssim_padding: SsimPadding = "zero",
        map_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.bce = bce
        self.ssim = ssim
        self.iou = iou
        self.ssim_padding = ssim_padding
        self.map_weights = map_weights

    def forward(self, outputs: SaliencyOutputs, targets: Tensor) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1].

        Raises:
            TrainingError: another number of map weights than of maps.
        """
        return supervise(outputs, lambda logits: self._of_map(logits, targets), self.map_weights)

    def _of_map(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = self.bce * functional.binary_cross_entropy_with_logits(logits, targets)
        probabilities = logits.sigmoid()
        if self.ssim:
            loss = loss + self.ssim * ssim_loss(probabilities, targets, self.ssim_padding)
        if self.iou:
            loss = loss + self.iou * iou_loss(probabilities, targets)
        return loss


def _blur(maps: Tensor, padding: SsimPadding) -> Tensor:
    margin = SSIM_WINDOW_PX // 2 if padding == "reflect" else 0
    if margin:
        maps = functional.pad(maps, (margin, margin, margin, margin), mode="reflect")
    height, width = maps.shape[-2:]
    return _band(height, margin, maps) @ maps @ _band(width, margin, maps).T


def _band(length: int, margin: int, maps: Tensor) -> Tensor:
    """The window as a matrix (length - 2 margin, length), which leaves out what is beyond the ends.

    On a processor the products with it take a fraction of the time of convolutions of one channel.
    """
    places = torch.arange(length, dtype=maps.dtype, device=maps.device)
    distances = (places - places[margin : length - margin, None]).abs()
    window = torch.arange(SSIM_WINDOW_PX, dtype=maps.dtype, device=maps.device) - SSIM_WINDOW_PX // 2
    total = _bell(window).sum()
    return _bell(distances) * (distances <= SSIM_WINDOW_PX // 2) / total


def _bell(distances: Tensor) -> Tensor:
    return torch.exp(-(distances**2) / (2 * SSIM_SIGMA_PX**2))
