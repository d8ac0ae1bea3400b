import pytest
import timm
import torch
from torch import nn

from models.errors import NetworkError
from models.networks.resnet34 import load_imagenet, load_resnet34, resnet34_layers


def test_layers_are_those_of_timm_with_its_weights() -> None:
    torch.manual_seed(2)
    published = timm.create_model("resnet34", pretrained=False).eval()
    layers = resnet34_layers()
    load_resnet34(layers, published.state_dict())
    maps = torch.randn(1, 64, 16, 16)
    ours = nn.Sequential(*layers).eval()
    theirs = nn.Sequential(published.layer1, published.layer2, published.layer3, published.layer4)
    with torch.inference_mode():
        torch.testing.assert_close(ours(maps), theirs(maps))


def test_widths_and_strides_are_those_asked_for() -> None:
    layers = resnet34_layers((8, 8, 16, 24), strides=(2, 1, 1, 2))
    maps = torch.randn(1, 8, 16, 16)
    shapes = [(maps := layer(maps)).shape[1:] for layer in layers]
    assert shapes == [(8, 8, 8), (8, 8, 8), (16, 8, 8), (24, 4, 4)]
    assert [len(layer) for layer in layers] == [3, 4, 6, 3]


def test_convolutions_start_kaiming_normal_by_fan_out() -> None:
    torch.manual_seed(2)
    weight = resnet34_layers((64, 64, 128, 128))[2][0].conv1.weight
    expected = (2 / (9 * 128)) ** 0.5
    assert float(weight.detach().std()) == pytest.approx(expected, rel=0.02)


def test_imagenet_weights_are_refused_before_they_are_fetched() -> None:
    with pytest.raises(NetworkError, match="fit only width 1"):
        load_imagenet(resnet34_layers((32, 64, 128, 256)))


def test_imagenet_weights_come_from_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    source = timm.create_model("resnet34", pretrained=False)
    monkeypatch.setattr(
        timm, "create_model", lambda name, *, pretrained: {("resnet34", True): source}[name, pretrained]
    )
    layers = resnet34_layers()
    load_imagenet(layers)
    assert torch.equal(layers[3][2].conv2.weight, source.layer4[2].conv2.weight)
