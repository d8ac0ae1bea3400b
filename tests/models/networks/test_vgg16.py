from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from models.errors import NetworkError
from models.networks.vgg16 import VGG16, load_imagenet, load_vgg16


@pytest.fixture(scope="module")
def published() -> nn.Module:
    """timm's VGG-16 with random convolutions; its classifier, most of it, without values."""
    torch.manual_seed(2)
    with torch.device("meta"):
        network = timm.create_model("vgg16", pretrained=False)
    network.features.to_empty(device="cpu")
    for parameter in network.features.parameters():
        nn.init.normal_(parameter, std=0.05)
    return network.eval()


def test_features_are_those_of_timm_with_its_weights(published: nn.Module) -> None:
    backbone = VGG16().eval()
    load_vgg16(backbone, published.state_dict())
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        features = backbone(images)
        stages = [published.features[:end](images) for end in (4, 9, 16, 23, 30)]
    for ours, theirs in zip(features, stages, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_grey_takes_the_sum_of_the_weights_for_colours(published: nn.Module) -> None:
    colour, grey = VGG16().double().eval(), VGG16(in_channels=1).double().eval()
    # In float32 the two sums differ by processor: thirteen layers of random weights enlarge the last digit.
    weights = {
        name: tensor.double() for name, tensor in published.features.state_dict(prefix="features.").items()
    }
    for backbone in (colour, grey):
        load_vgg16(backbone, weights)
    image = torch.randn(1, 1, 32, 32, dtype=torch.double)
    with torch.inference_mode():
        expected = colour(image.expand(-1, 3, -1, -1))
        for ours, theirs in zip(grey(image), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_imagenet_weights_come_from_timm(published: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        timm, "create_model", lambda name, *, pretrained: {("vgg16", True): published}[name, pretrained]
    )
    backbone = VGG16()
    load_imagenet(backbone)
    assert torch.equal(backbone.features[28].weight, published.features[28].weight)


def test_imagenet_weights_are_refused_before_they_are_fetched() -> None:
    with pytest.raises(NetworkError, match="fit only width 1"):
        load_imagenet(VGG16(0.5))


def test_training_drops_features_behind_each_pooling_and_the_last_block() -> None:
    torch.manual_seed(2)
    backbone = VGG16(0.125, dropout=0.3)
    seen: list[float] = []
    for layer in backbone.features:
        if isinstance(layer, nn.MaxPool2d):
            layer.register_forward_hook(lambda _layer, _inputs, maps: seen.append(kept(maps)))
    dropped: list[float] = []
    backbone.dropout.register_forward_hook(lambda _layer, _inputs, maps: dropped.append(kept(maps)))
    images = torch.randn(1, 3, 128, 128)
    *_, c5 = backbone.train()(images)
    assert [after / before for before, after in zip(seen, dropped[:4], strict=True)] == pytest.approx(
        [0.7] * 4, abs=0.05
    )
    assert kept(c5) == dropped[4]
    *_, c5 = backbone.eval()(images)
    assert dropped[5:9] == seen[4:]
    assert kept(c5) == dropped[9]


def kept(maps: torch.Tensor) -> float:
    return float((maps > 0).float().mean())
