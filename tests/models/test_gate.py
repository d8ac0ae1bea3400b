from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import WeightsError
from models.gate import Gate, tile_score
from models.losses import tile_logits
from models.networks.csnet import CSNet
from models.pruning import reestimate
from models.segmenter import Segmenter
from models.weights import WeightsInfo, save_weights
from models.weights.files import weights_of

INFO = WeightsInfo(
    network="csnet-x1", width=0.2, version="1", data="none", recipe="none", gate_threshold=100.0
)


class Brightness:
    """A back end whose logits are grey levels, and which keeps what it was asked."""

    identity = "brightness"

    def __init__(self) -> None:
        self.asked: list[NDArray[np.uint8]] = []

    def logits(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        self.asked += tiles
        return [tile.astype(np.float32) for tile in tiles]


def tile(level: int) -> NDArray[np.uint8]:
    return np.full((256, 256), level, np.uint8)


def gated(threshold: float = 100.0) -> tuple[Segmenter, Brightness]:
    backend = Brightness()
    gate = Gate(Brightness(), INFO.model_copy(update={"gate_threshold": threshold}), "gate")
    return Segmenter(backend, "main", INFO, gate), backend


def test_a_tile_scores_as_training_has_it() -> None:
    logits = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
    assert tile_score(logits) == pytest.approx(float(tile_logits(torch.from_numpy(logits)[None, None])))


def test_the_network_sees_only_what_passes_and_the_rest_stays_dark() -> None:
    segmenter, backend = gated()
    maps = segmenter.segment([tile(20), tile(100), tile(99), tile(200)])
    assert [int(saliency.max()) for saliency in maps] == [0, 255, 0, 255]
    assert all(saliency.shape == (256, 256) and saliency.dtype == np.uint8 for saliency in maps)
    assert [int(asked[0, 0]) for asked in backend.asked] == [100, 200]
    assert segmenter.segment([]) == []


def test_the_identity_tells_of_the_gate_and_its_threshold() -> None:
    segmenter, _ = gated()
    other, _ = gated(threshold=101.0)
    plain = Segmenter(Brightness(), "main", INFO)
    assert (segmenter.name, segmenter.version) == ("main+gate", "1+1")
    assert (plain.name, plain.version) == ("main", "1")
    assert len({segmenter.digest, other.digest, plain.digest}) == 3


def write(path: Path, threshold: float | None) -> Path:
    torch.manual_seed(2)
    network = CSNet(0.2, stem_stride=2)
    # With the statistics that a network begins with, the depthwise gain makes maps overflow.
    reestimate(network, [torch.randn(2, 3, 64, 64) for _ in range(2)])
    info = INFO.model_copy(update={"gate_threshold": threshold, "knobs": {"stem_stride": 2}})
    save_weights(path, weights_of(network), info)
    return path


def test_weights_without_a_threshold_are_no_gate(tmp_path: Path) -> None:
    path = write(tmp_path / "some.safetensors", None)
    with pytest.raises(WeightsError, match="weights some are no gate"):
        Segmenter.open("csnet-x1", gate=path, device="cpu")


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_a_gated_map_does_not_depend_on_its_neighbours(tmp_path: Path, backend: str) -> None:
    generator = np.random.default_rng(4)
    tiles = [generator.integers(0, 40 * (index + 1), (256, 256)).astype(np.uint8) for index in range(4)]
    network = write(tmp_path / "main.safetensors", None)
    kind = "torch" if backend == "torch" else "openvino"
    opened = Segmenter.open(
        network, gate=write(tmp_path / "gate.safetensors", 0.0), backend=kind, device="cpu"
    )
    assert opened._gate is not None
    scores = opened._gate.scores(tiles)
    middle = float(np.median(scores))
    segmenter = Segmenter.open(
        network, gate=write(tmp_path / "gate.safetensors", middle), backend=kind, device="cpu"
    )
    alone = [segmenter.segment([one])[0] for one in tiles]
    assert [bool(saliency.any()) for saliency in alone] == [score >= middle for score in scores]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        together = segmenter.segment([tiles[index] for index in order])
        assert all(np.array_equal(alone[i], found) for i, found in zip(order, together, strict=True))
