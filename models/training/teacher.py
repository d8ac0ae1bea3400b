"""A trained network whose maps a student learns from, as in KD-SCFNet: soft, at temperature 1, no masks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.networks.normalisation import network_input
from models.networks.outputs import SaliencyNetwork
from models.weights.registry import load


@dataclass(frozen=True)
class Teacher:
    """A network in evaluation mode.

    Attributes:
        network: on the device of the run.
        digest: of its weights.
        version: of its weights, for the student's metadata.
    """

    network: SaliencyNetwork
    digest: str
    version: str

    def maps(self, pixels: Tensor) -> Tensor:
        """Return saliency (N, 1, H, W), 0 to 1, of grey images (N, H, W), 0 to 255, without gradients."""
        with torch.no_grad():
            images = network_input(pixels, self.network.in_channels)
            maps: Tensor = self.network(images).final.float().sigmoid()
        return maps


def load_teacher(model: str, device: torch.device) -> Teacher:
    """Return a teacher by the name of shipped weights or the path of a weights file.

    Raises:
        WeightsError: no such weights, or damaged ones.
    """
    network, info = load(model)
    return Teacher(network.to(device).requires_grad_(requires_grad=False), info.digest, info.version)
