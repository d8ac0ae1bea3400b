import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from models.inference import graph_cache
from models.inference.openvino_runtime import Core, Model
from models.weights import load

Loaded = tuple[nn.Module, str, Model]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    network, info = load("csnet-x1")
    return network, info.digest, graph_cache.convert(network)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_second_start_reads_what_the_first_converted(
    cache: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, digest, graph = loaded
    made: list[Model] = []

    def convert(_: nn.Module) -> Model:
        made.append(graph)
        return graph

    monkeypatch.setattr(graph_cache, "convert", convert)
    core = Core()
    tile = np.random.default_rng(1).integers(0, 256, (1, 256, 256), dtype=np.uint8)
    maps = [
        core.compile_model(graph_cache.cached_graph(core, network, digest), "CPU")([tile])[0]
        for _ in range(2)
    ]
    assert len(made) == 1
    assert np.array_equal(maps[0], maps[1])


def test_other_weights_are_another_graph(
    cache: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, digest, graph = loaded
    monkeypatch.setattr(graph_cache, "convert", lambda _: graph)
    graph_cache.cached_graph(Core(), network, digest)
    assert graph_cache.cached_graph(Core(), network, "0" * 32) is graph


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("networks/coilnet.py", True),
        ("inference/backend.py", True),
        ("classes/network.py", True),
        ("classes/training.py", False),
    ],
)
def test_code_that_decides_a_graph_changes_its_place(tmp_path: Path, source: str, counts: bool) -> None:
    models = tmp_path / "models"
    shutil.copytree(Path(graph_cache.__file__).parent.parent, models)
    before = graph_cache.code_digest(models)
    assert before == graph_cache._CODE
    (models / source).write_text("changed = True")
    assert (graph_cache.code_digest(models) != before) == counts


def test_a_graph_of_other_code_is_never_read(
    cache: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, digest, graph = loaded
    monkeypatch.setattr(graph_cache, "convert", lambda _: graph)
    for code in ("old", "new"):
        monkeypatch.setattr(graph_cache, "_CODE", code)
        assert graph_cache.cached_graph(Core(), network, digest) is graph
    assert graph_cache.cached_graph(Core(), network, digest) is not graph


@pytest.mark.parametrize("part", ["graph.xml", "graph.bin", "digests.json"])
def test_a_damaged_graph_is_never_run_but_made_again(
    cache: Path, loaded: Loaded, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, digest, graph = loaded
    monkeypatch.setattr(graph_cache, "convert", lambda _: graph)
    graph_cache.cached_graph(Core(), network, digest)
    (path,) = cache.rglob(part)
    good = path.read_bytes()
    path.write_bytes(good[:-3] + b"xyz")
    with caplog.at_level(logging.WARNING):
        assert graph_cache.cached_graph(Core(), network, digest) is graph
    assert "made again" in caplog.text
    assert path.read_bytes() == good
    assert graph_cache.cached_graph(Core(), network, digest) is not graph


def test_a_cache_that_cannot_be_written_costs_a_warning(
    cache: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, digest, graph = loaded
    monkeypatch.setattr(graph_cache, "convert", lambda _: graph)
    (cache / "coilwatch").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert graph_cache.cached_graph(Core(), network, digest) is graph
    assert "cannot cache" in caplog.text


def test_openvino_has_no_way_to_report_home() -> None:
    assert sys.modules["openvino_telemetry"] is None
