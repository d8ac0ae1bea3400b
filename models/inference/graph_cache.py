"""Converted graphs in the user's cache folder: safe to delete, checked before they are read.

Conversion from torch takes seconds and every process of a line would pay them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import Tensor as Input
from torch import nn

from models.inference.backend import TILE_SIZE, TileGraph
from models.inference.openvino_runtime import (
    Core,
    Model,
    Tensor,
    convert_model,
    get_version,
    save_model,
    the_core,
)
from models.networks.outputs import SaliencyNetwork

_GRAPH, _WEIGHTS, _DIGESTS = "graph.xml", "graph.bin", "digests.json"

_SOURCES = ("networks/*.py", "inference/*.py", "classes/network.py")
_BUILDERS = ("torch", "torchvision", "timm")


def code_digest(models: Path) -> str:
    """Return 32 hex digits over our sources that decide what a graph computes.

    Args:
        models: folder of the package.
    """
    state = hashlib.blake2b(digest_size=16)
    for source in sorted(path for sources in _SOURCES for path in models.glob(sources)):
        state.update(hashlib.blake2b(source.read_bytes()).digest())
    return state.hexdigest()


_CODE = code_digest(Path(__file__).parent.parent)
"""Of the code as it was imported: another version may be laid over it while this process runs."""

_logger = logging.getLogger(__name__)


def cached_graph(core: Core, network: SaliencyNetwork, weights_digest: str) -> Model:
    """Return the OpenVINO graph of a network on tiles, from the cache or newly converted.

    Args:
        core: reads the cached graph.
        network: in evaluation mode; only used where the cache has no good graph.
        weights_digest: of the network's weights.

    Returns:
        A graph from (1, T, T) uint8 to (1, T, T) float32 logits.
    """
    return cached(core, [weights_digest, TILE_SIZE], lambda: convert(network))


def cached(core: Core, facts: list[object], make: Callable[[], Model]) -> Model:
    """Return a graph from the cache, or make it and keep it there.

    Args:
        core: reads the cached graph.
        facts: what decides what is made, beside our code and the versions of the libraries.
        make: called where the cache has no good graph.
    """
    folder = _folder(facts)
    graph = _read(core, folder)
    if graph is None:
        graph = make()
        try:
            _write(graph, folder)
        except OSError as error:
            _logger.warning("cannot cache the converted graph in %s: %s", folder, error)
    return graph


def convert(network: SaliencyNetwork) -> Model:
    """Return the OpenVINO graph of a network for one tile."""
    return traced(TileGraph(network), torch.zeros((1, TILE_SIZE, TILE_SIZE), dtype=torch.uint8))


def traced(graph: nn.Module, example: Input) -> Model:
    """Return the OpenVINO graph of a module for inputs of an example's shape, uint8."""
    with warnings.catch_warnings(), torch.no_grad():
        # torch announces the end of tracing; OpenVINO's own conversion still rests on it.
        warnings.simplefilter("ignore")
        steps = torch.jit.trace(graph.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
        converted: Model = convert_model(steps, input=[(list(example.shape), np.uint8)])
    # A graph that was never on file may compute another last bit than the same one read from the cache.
    with tempfile.TemporaryDirectory() as folder:
        return _loaded(the_core(), *_saved(converted, Path(folder)))


def _folder(facts: list[object]) -> Path:
    text = json.dumps([*facts, _CODE, get_version(), *map(version, _BUILDERS)])
    key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return user_cache_path("coilwatch") / "graphs" / key


def _read(core: Core, folder: Path) -> Model | None:
    try:
        digests = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))
        graph, weights = (folder / _GRAPH).read_bytes(), (folder / _WEIGHTS).read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _logger.warning("cached graph %s is unreadable and is made again: %s", folder, error)
        return None
    if digests != _digests(graph, weights):
        _logger.warning("cached graph %s is damaged and is made again", folder)
        return None
    return _loaded(core, graph, weights)


def _loaded(core: Core, graph: bytes, weights: bytes) -> Model:
    return core.read_model(graph, Tensor(np.frombuffer(weights, dtype=np.uint8)))


def _saved(graph: Model, folder: Path) -> tuple[bytes, bytes]:
    save_model(graph, folder / _GRAPH, compress_to_fp16=False)
    return (folder / _GRAPH).read_bytes(), (folder / _WEIGHTS).read_bytes()


def _write(graph: Model, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        digests = json.dumps(_digests(*_saved(graph, made)))
        (made / _DIGESTS).write_text(digests, encoding="utf-8")
        # What stands there is damaged, or another process has just made the same: either may go.
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _digests(graph: bytes, weights: bytes) -> dict[str, str]:
    parts = {_GRAPH: graph, _WEIGHTS: weights}
    return {name: hashlib.blake2b(part, digest_size=16).hexdigest() for name, part in parts.items()}
