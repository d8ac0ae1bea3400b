"""One training run shared by several processes, each with its part of every batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.networks.outputs import SaliencyNetwork, SaliencyOutputs


@dataclass(frozen=True)
class Member:
    """One of the processes that share a run.

    Attributes:
        rank: its number; the first alone scores, writes and is watched.
        count: of all of them; their process group is set up beforehand.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0


@runtime_checkable
class PenalisedNetwork(Protocol):
    """A network whose training adds a penalty of its own to the loss: PFANet."""

    def saliency_and_penalty(self, images: Tensor) -> tuple[SaliencyOutputs, Tensor]:
        """What `forward` returns, and a scalar."""


class TrainingPass(nn.Module):
    """A network's pass in training, with the penalty that some networks add to the loss."""

    def __init__(self, network: SaliencyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, *, with_penalty: bool) -> tuple[SaliencyOutputs, Tensor | None]:
        """Return logits for normalised images, and the penalty where it is asked for."""
        if with_penalty:
            return cast("PenalisedNetwork", self.network).saliency_and_penalty(images)
        return self.network(images), None


def shared_pass(network: SaliencyNetwork, member: Member, device: torch.device) -> nn.Module:
    """Return the training pass of a network, whose gradients are the mean over all members."""
    training_pass = TrainingPass(network)
    if member.count == 1:
        return training_pass
    # A loss may leave out a map, and an empty branch of CSNet feeds nothing: no gradient comes from there.
    return DistributedDataParallel(
        training_pass, [device] if device.type == "cuda" else None, find_unused_parameters=True
    )
