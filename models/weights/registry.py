"""Shipped weights by name, any weights by path."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from models.errors import WeightsError
from models.networks.build import NETWORKS
from models.weights.files import WeightsInfo, fill_network, read_weights

SUFFIX = ".safetensors"
_SHIPPED = Path(__file__).parent


def available() -> list[str]:
    """Return the names of the shipped weights, sorted."""
    return sorted(path.stem for path in _SHIPPED.glob(f"*{SUFFIX}"))


def locate(model: str | Path) -> Path:
    """Return the file of a shipped name, or the path itself.

    Raises:
        WeightsError: neither a shipped name nor a file.
    """
    shipped = _SHIPPED / f"{model}{SUFFIX}"
    if isinstance(model, str) and model in available():
        return shipped
    path = Path(model)
    if not path.is_file():
        names = ", ".join(available()) or "none"
        raise WeightsError(f"no weights {model}: expected a file or one of the shipped names ({names})")
    return path


def load(model: str | Path) -> tuple[nn.Module, WeightsInfo]:
    """Return a network with its weights, in evaluation mode, and what the file says of itself.

    Args:
        model: a shipped name as `csnet-x1`, or the path of a weights file.

    Raises:
        WeightsError: not there, not safetensors, damaged, or not of the network it names.
    """
    path = locate(model)
    weights, info = read_weights(path)
    if info.network not in NETWORKS:
        known = ", ".join(sorted(NETWORKS))
        raise WeightsError(f"weights {path} are for network {info.network}, expected one of {known}")
    network = NETWORKS[info.network](info.width)
    fill_network(network, weights, path)
    return network.eval(), info
