import pytest
import timm
import torch

from models.errors import NetworkError
from models.networks.cost import parameters_of
from models.networks.resnet50 import ResNet50


def test_features_are_those_of_timms_network() -> None:
    torch.manual_seed(2)
    network = ResNet50(0.125).eval()
    published = timm.create_model(
        "resnet50", features_only=True, out_indices=(1, 2, 3, 4), channels=(8, 16, 32, 64)
    ).eval()
    ours = network.state_dict()
    published.load_state_dict(dict(zip(published.state_dict(), ours.values(), strict=True)))
    images = torch.rand(1, 3, 64, 96)
    features = network(images)
    assert [maps.shape[1] for maps in features] == list(network.channels) == [32, 64, 128, 256]
    for found, expected in zip(features, published(images), strict=True):
        torch.testing.assert_close(found, expected)


def test_the_published_width_has_the_published_channels() -> None:
    with torch.device("meta"):
        network = ResNet50()
    assert network.channels == (256, 512, 1024, 2048)
    assert parameters_of(network) == 23_508_032


def test_weights_fit_one_width() -> None:
    with pytest.raises(
        NetworkError, match=r"no ImageNet weights for resnet50 at width 0.5: expected width 1"
    ):
        ResNet50(0.5, pretrained=True)


def test_weights_that_cannot_be_downloaded_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise FileNotFoundError("no such host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        NetworkError, match=r"no ImageNet weights for resnet50: timm could not download them \(no"
    ):
        ResNet50(pretrained=True)
