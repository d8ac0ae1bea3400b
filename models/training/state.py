"""The state of a training run on disk: one safetensors file, replaced in one step, no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import AdamW

from models.errors import TrainingError
from models.weights.files import write_atomically

STATE_FILE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: optimiser steps done.
        best_score: best score so far of the averaged weights.
        seed: the recipe's seed, checked when a run goes on.
    """

    step: int = 0
    best_score: float = -1.0
    seed: int = 0


def save_state(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: AdamW, progress: Progress
) -> None:
    """Write everything that the next step depends on."""
    tensors: dict[str, Tensor] = {}
    tensors.update({f"network.{name}": tensor for name, tensor in network.state_dict().items()})
    tensors.update({f"average.{name}": tensor for name, tensor in average.state_dict().items()})
    for name, parameter in network.named_parameters():
        for moment in _MOMENTS:
            if parameter in optimizer.state:
                tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    metadata = {"progress": json.dumps(vars(progress))}
    blob = save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, metadata=metadata)
    write_atomically(folder / STATE_FILE, blob)


def load_state(folder: Path, network: nn.Module, average: nn.Module, optimizer: AdamW) -> Progress | None:
    """Fill network, average and optimiser from a folder.

    Returns:
        The progress of the run, or None where there is nothing to go on from.

    Raises:
        TrainingError: the state is damaged or of another network.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            progress = Progress(**json.loads((file.metadata() or {})["progress"]))
        network.load_state_dict(_part(tensors, "network"))
        average.load_state_dict(_part(tensors, "average"))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"cannot go on from {path}: {error}") from error
    moments = {moment: _part(tensors, moment) for moment in _MOMENTS}
    for name, parameter in network.named_parameters():
        if name in moments["exp_avg"]:
            state = {moment: moments[moment][name] for moment in _MOMENTS}
            optimizer.state[parameter] = {"step": torch.tensor(float(progress.step)), **state}
    return progress


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
