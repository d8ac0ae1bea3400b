"""The state of a training run on disk: one safetensors file, replaced in one step, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from models.errors import TrainingError
from models.training.optimizers import named_state
from models.training.recipe import STATE_NAME
from models.weights.files import write_atomically

STATE_FILE = f"{STATE_NAME}.safetensors"
_OPTIMIZER = "optimizer"


@dataclass
class Progress:
    """How far a run is, and of what.

    Attributes:
        step: optimiser steps done.
        best_score: best score so far of the averaged weights in this phase.
        lost_steps: in a row without a finite gradient.
        recipe: its digest.
        data: its digest.
        processes: that share the run.
        channels: that pruning has left, empty before it.
    """

    step: int = 0
    best_score: float = -1.0
    lost_steps: int = 0
    recipe: str = ""
    data: str = ""
    processes: int = 1
    channels: str = ""

    def check(self, expected: Progress, folder: Path) -> None:
        """Make sure that this is the run that is to go on.

        Raises:
            TrainingError: it is another; the message says in what.
        """
        for name in ("recipe", "data", "processes"):
            found, wanted = getattr(self, name), getattr(expected, name)
            if found != wanted:
                raise TrainingError(f"{folder} holds a run of other {name}: expected {wanted}, got {found}")


def save_state(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: Optimizer, progress: Progress
) -> None:
    """Write everything that the next step depends on."""
    tensors: dict[str, Tensor] = {}
    tensors.update({f"network.{name}": tensor for name, tensor in network.state_dict().items()})
    tensors.update({f"average.{name}": tensor for name, tensor in average.state_dict().items()})
    for name, state in named_state(network, optimizer).items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{_OPTIMIZER}.{key}.{name}"] = value
    metadata = {"progress": json.dumps(vars(progress))}
    blob = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)
    write_atomically(folder / STATE_FILE, blob)


def saved_progress(folder: Path, expected: Progress) -> Progress | None:
    """Return how far the run in a folder is, or None where there is nothing to go on from.

    Args:
        folder: of the run.
        expected: recipe, data and processes that the run must be of.

    Raises:
        TrainingError: the state is damaged or of another run.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads((file.metadata() or {})["progress"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"cannot go on from {path}: {error}") from error
    progress.check(expected, folder)
    return progress


def load_state(folder: Path, network: nn.Module, average: nn.Module, optimizer: Optimizer) -> None:
    """Fill network, average and optimiser from a folder, where there is a state.

    Args:
        folder: of the run.
        network: on its device and in its memory format; so is the average.
        average: of its weights.
        optimizer: of the network's parameters.

    Raises:
        TrainingError: the state is damaged.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        network.load_state_dict(_part(tensors, "network"))
        average.load_state_dict(_part(tensors, "average"))
    except (SafetensorError, RuntimeError) as error:
        raise TrainingError(f"cannot go on from {path}: {error}") from error
    _fill_optimizer(network, optimizer, _part(tensors, _OPTIMIZER))


def _fill_optimizer(network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(network.named_parameters())
    for key_and_name, tensor in tensors.items():
        key, _, name = key_and_name.partition(".")
        parameter = parameters[name]
        optimizer.state[parameter][key] = _laid_out_as(parameter, tensor)


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A moment in memory as its parameter is: sums over another layout may round otherwise."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
