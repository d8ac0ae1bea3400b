"""Shipped weights by name, any weights by path."""

from __future__ import annotations

from pathlib import Path

from models.errors import NetworkError, WeightsError
from models.networks.build import build
from models.networks.grey import fold_grey
from models.networks.outputs import SaliencyNetwork
from models.weights.files import WeightsInfo, fill_network, read_weights

SUFFIX = ".safetensors"
_SHIPPED = Path(__file__).parent


def available(shipped: Path = _SHIPPED) -> list[str]:
    """Return the names of the weights that ship in a folder, sorted."""
    return sorted(path.stem for path in shipped.glob(f"*{SUFFIX}"))


def locate(model: str | Path, shipped: Path = _SHIPPED) -> Path:
    """Return the file of a shipped name, or the path itself.

    Args:
        model: name or path.
        shipped: folder of those that ship.

    Raises:
        WeightsError: neither a shipped name nor a file.
    """
    found = available(shipped)
    if isinstance(model, str) and model in found:
        return shipped / f"{model}{SUFFIX}"
    path = Path(model)
    if not path.is_file():
        names = ", ".join(found) or "none"
        raise WeightsError(f"no weights {model}: expected a file or one of the shipped names ({names})")
    return path


def load(model: str | Path) -> tuple[SaliencyNetwork, WeightsInfo]:
    """Return a network with its weights, in evaluation mode, and what the file says of itself.

    Args:
        model: a shipped name as `csnet-x1`, or the path of a weights file.

    Raises:
        WeightsError: not there, not safetensors, damaged, or not of the network it names.
    """
    path = locate(model)
    weights, info = read_weights(path)
    try:
        network = build(info.network, width=info.width, **info.knobs)
    except NetworkError as error:
        raise WeightsError(f"weights {path}: {error}") from error
    fill_network(network, weights, path)
    return network.eval(), info


def load_grey(model: str | Path) -> tuple[SaliencyNetwork, WeightsInfo]:
    """Load weights as a network of one input channel, which computes the same on grey images as `load`'s.

    Raises:
        WeightsError: as of `load`.
    """
    network, info = load(model)
    if network.in_channels == 1:
        return network, info
    grey = build(info.network, width=info.width, **{**info.knobs, "in_channels": 1})
    grey.load_state_dict(fold_grey(network.state_dict(), type(network)))
    return grey.eval(), info
