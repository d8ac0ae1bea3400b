"""Which device back ends are opened on."""

from __future__ import annotations

import pytest
import torch

from models.inference import opening
from models.inference.opening import BackendChoice, open_backend, suiting_device
from models.segmenter import Segmenter


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_inspectors_of_a_machine_take_its_gpus_in_turn(backend: BackendChoice) -> None:
    devices = [suiting_device(backend, turn) for turn in range(5)]

    assert devices == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]


@pytest.mark.usefixtures("three_gpus")
def test_openvino_stays_on_the_processor_beside_gpus() -> None:
    assert suiting_device("openvino", 1) == "cpu"
    assert Segmenter.open("coilnet-s", backend="openvino").segment([]) == []


def test_without_gpus_everything_runs_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert [suiting_device("torch", turn) for turn in range(2)] == ["cpu", "cpu"]


@pytest.mark.parametrize(("device", "precision"), [("cuda:0", "bf16"), ("cuda:1", "fp32")])
def test_a_gpu_that_would_emulate_bfloat16_takes_fp32(
    monkeypatch: pytest.MonkeyPatch, device: str, precision: str
) -> None:
    chosen: list[object] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda gpu: [(8, 6), (7, 5)][gpu.index])
    monkeypatch.setattr(opening, "TorchBackend", lambda *arguments: chosen.extend(arguments[1:3]))

    open_backend("coilnet-s", device=device)

    assert chosen == [device, precision]
