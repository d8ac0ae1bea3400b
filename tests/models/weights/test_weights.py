from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from models.errors import WeightsError
from models.networks.build import build
from models.networks.csnet import CSNet
from models.weights import WeightsInfo, available, load, load_grey, locate, save_weights
from models.weights.files import METADATA_KEY, fill_network, read_weights, weights_digest, weights_of

INFO = WeightsInfo(
    network="csnet-x1", width=1.0, version="1", data="none", recipe="none", metrics={"iou": 0.5}
)

MAX_SHIPPED_BYTES = 20_000_000


@pytest.fixture
def network() -> CSNet:
    torch.manual_seed(1)
    return CSNet()


@pytest.fixture
def path(tmp_path: Path, network: CSNet) -> Path:
    path = tmp_path / "some.safetensors"
    save_weights(path, weights_of(network), INFO)
    return path


def test_what_is_saved_is_loaded(path: Path, network: CSNet) -> None:
    loaded, info = load(path)
    assert isinstance(loaded, CSNet)
    assert not loaded.training
    assert info.model_copy(update={"digest": ""}) == INFO
    assert len(info.digest) == 32
    expected, found = weights_of(network), weights_of(loaded)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("sharpness", [0.0, -1.0, 3.5, float("nan")])
def test_a_sharpness_that_makes_no_map_is_refused(sharpness: float) -> None:
    with pytest.raises(ValidationError, match="sharpness"):
        WeightsInfo.model_validate(INFO.model_dump() | {"sharpness": sharpness})


def test_another_sharpness_is_another_digest(path: Path) -> None:
    weights, info = read_weights(path)
    assert weights_digest(weights, info.model_copy(update={"sharpness": 2.0})) != info.digest


def test_half_precision_halves_the_file_and_loads_as_float32(
    path: Path, tmp_path: Path, network: CSNet
) -> None:
    halved = tmp_path / "half.safetensors"
    network.to(memory_format=torch.channels_last)
    save_weights(halved, weights_of(network, half=True), INFO)
    # CSNet has many biases and normalisations for its size, and those stay.
    assert halved.stat().st_size < 0.65 * path.stat().st_size
    expected, found = weights_of(network), weights_of(load(halved)[0])
    for name, tensor in expected.items():
        assert found[name].dtype == torch.float32
        exact = tensor.half().float() if tensor.ndim > 1 else tensor
        assert torch.equal(found[name], exact), name


def test_saving_twice_gives_the_same_bytes(path: Path, tmp_path: Path, network: CSNet) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(other, weights_of(network), INFO)
    assert other.read_bytes() == path.read_bytes()
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, other.name}


@pytest.mark.parametrize("name", available())
def test_shipped_weights_are_small_and_load(name: str) -> None:
    _, info = load(name)
    assert info.metrics
    assert locate(name).stat().st_size < (MAX_SHIPPED_BYTES)


def test_the_first_network_is_shipped() -> None:
    assert "csnet-x1" in available()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda blob: blob[:0], "expected a safetensors file"),
        (lambda blob: b"\x80\x04pickle" + blob, "expected a safetensors file"),
        (lambda blob: blob[:-4], "expected a safetensors file"),
        (lambda blob: blob[:-4] + b"\x01\x02\x03\x04", "damaged"),
        (lambda blob: blob.replace(METADATA_KEY.encode(), b"something", 1), "no coilwatch metadata"),
        (lambda blob: blob.replace(b'\\"version\\"', b'\\"wersion\\"', 1), "bad metadata block: "),
        (lambda blob: blob.replace(b'\\"csnet-x1\\"', b'\\"dsnet-x1\\"', 1), "damaged"),
    ],
    ids=["empty", "pickle", "truncated", "changed tensor", "no block", "bad block", "other network"],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_in_one_line(
    path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    before = path.read_bytes()
    after = damage(before)
    assert after != before
    path.write_bytes(after)
    with pytest.raises(WeightsError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_network_that_nobody_knows_is_refused(path: Path, network: CSNet) -> None:
    save_weights(path, weights_of(network), INFO.model_copy(update={"network": "wonder"}))
    with pytest.raises(WeightsError, match=r"no network wonder: expected one of .*csnet-x1"):
        load(path)


def test_weights_of_another_width_are_refused(path: Path, network: CSNet) -> None:
    save_weights(path, weights_of(network), INFO.model_copy(update={"width": 1.5}))
    with pytest.raises(WeightsError, match=r"do not match their network: .* expected .* got"):
        load(path)


def test_missing_and_unknown_tensors_are_named(path: Path, network: CSNet) -> None:
    weights, _ = read_weights(path)
    first = next(iter(weights_of(network)))
    fewer = {name: tensor for name, tensor in weights.items() if name != first}
    with pytest.raises(WeightsError, match=f"no tensor {first}"):
        fill_network(network, fewer, path)
    with pytest.raises(WeightsError, match="unknown tensor extra"):
        fill_network(network, {**weights, "extra": torch.zeros(1)}, path)


@pytest.mark.parametrize(("value", "half"), [(float("nan"), False), (float("-inf"), False), (1e6, True)])
def test_values_that_are_no_finite_numbers_are_refused(
    path: Path, network: CSNet, value: float, half: bool
) -> None:
    name, tensor = next((name, one) for name, one in network.state_dict().items() if one.ndim > 1)
    tensor[-1] = value
    save_weights(path, weights_of(network, half=half), INFO)
    with pytest.raises(WeightsError, match=f"unusable: {name} has values that are no finite numbers"):
        load(path)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="no coilwatch metadata block"):
        load(path)


def test_a_name_that_is_not_shipped_lists_those_that_are() -> None:
    with pytest.raises(WeightsError, match="csnet-x1"):
        load("wonder-x9")


@pytest.mark.parametrize(
    ("name", "width", "knobs"),
    [
        ("cat-ednet", 0.125, {"heads": 1, "layers": 1}),
        ("scfnet", 0.5, {"channels": 24}),
        ("csnet-x1", 1.0, {"fine_share": 0.7}),
        ("csnet-x1", 1.0, {"in_channels": 1}),
    ],
    ids=str,
)
def test_a_network_with_knobs_is_loaded_with_them(
    tmp_path: Path, name: str, width: float, knobs: dict[str, int | float]
) -> None:
    network = build(name, width=width, **knobs).eval()
    path = tmp_path / "knobs.safetensors"
    info = INFO.model_copy(update={"network": name, "width": width, "knobs": knobs})
    save_weights(path, weights_of(network), info)
    expected, (loaded, read) = weights_of(network), load(path)
    assert read.knobs == knobs
    assert all(torch.equal(expected[key], value) for key, value in weights_of(loaded).items())
    grey, _ = load_grey(path)
    assert grey.in_channels == 1
    without = {**info.model_dump(), "knobs": {}}
    assert read.digest != weights_digest(expected, WeightsInfo.model_validate(without))


@pytest.mark.parametrize("knob", ["name", "width"])
def test_knobs_that_are_none_are_refused(path: Path, network: CSNet, knob: str) -> None:
    save_weights(path, weights_of(network), INFO.model_copy(update={"knobs": {knob: 1}}))
    with pytest.raises(WeightsError, match=f"beside the knobs, got {knob} among them"):
        load(path)


def test_weights_never_ask_for_others() -> None:
    with pytest.raises(ValidationError, match="got pretrained: a file has its own weights"):
        WeightsInfo.model_validate({**INFO.model_dump(), "knobs": {"pretrained": True}})
