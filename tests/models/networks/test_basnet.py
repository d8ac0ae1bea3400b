from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import NetworkError
from models.networks.basnet import BASNet, RefUnet
from models.networks.cost import parameters_of
from tests.models.networks.plain import conv_bn_relu, enlarge, settled


def narrow(**knobs: bool) -> BASNet:
    torch.manual_seed(1)
    network = BASNet(0.125, **knobs)
    settled(network)
    return network


def test_parts_have_the_published_sizes() -> None:
    with torch.device("meta"):
        network = BASNet()
    assert network.refine is not None
    assert parameters_of(network.refine) == 482_177
    assert parameters_of(network.bridge) == 7_082_496
    resnet34_and_stem = 21_277_056
    assert sum(map(parameters_of, [network.stem, *network.encoder[:4]])) == resnet34_and_stem
    assert [parameters_of(stage) for stage in network.encoder[4:]] == [3 * (2 * 9 * 512 * 512 + 4 * 512)] * 2


def test_the_decoder_has_the_published_channels_and_dilations() -> None:
    with torch.device("meta"):
        network = BASNet()
    kernels = [[unit[0] for unit in stage] for stage in network.decoder]
    assert [[conv.in_channels for conv in stage] + [stage[-1].out_channels] for stage in kernels] == [
        [1024, 512, 512, 512],
        [1024, 512, 512, 512],
        [1024, 512, 512, 256],
        [512, 256, 256, 128],
        [256, 128, 128, 64],
        [128, 64, 64, 64],
    ]
    assert [[conv.dilation[0] for conv in stage] for stage in kernels] == [[1, 2, 2], *[[1, 1, 1]] * 5]
    assert [unit[0].dilation[0] for unit in network.bridge] == [2, 2, 2]


def test_refinement_adds_a_residual_to_the_coarse_logits() -> None:
    torch.manual_seed(1)
    refine = RefUnet(6)
    settled(refine)
    coarse = torch.randn(1, 1, 32, 48)

    def level(depth: int, maps: Tensor) -> Tensor:
        if depth == 4:
            return conv_bn_relu(refine.bottom, maps)
        skip = conv_bn_relu(refine.encoder[depth], maps)
        below = enlarge(level(depth + 1, functional.max_pool2d(skip, 2)), (skip.shape[2], skip.shape[3]))
        return conv_bn_relu(refine.decoder[3 - depth], torch.cat([below, skip], dim=1))

    with torch.inference_mode():
        entry = functional.conv2d(coarse, refine.entry.weight, refine.entry.bias, padding=1)
        residual = functional.conv2d(level(0, entry), refine.residual.weight, refine.residual.bias, padding=1)
        torch.testing.assert_close(refine(coarse), coarse + residual)


def test_features_have_the_strides_of_the_paper() -> None:
    network = narrow()
    strides: list[int] = []
    for stage in network.encoder:
        stage.register_forward_hook(lambda _stage, _inputs, maps: strides.append(64 // maps.shape[3]))
    with torch.inference_mode():
        network(torch.randn(1, 3, 32, 64))
    assert strides == [1, 2, 4, 8, 16, 32]


def test_maps_are_the_refined_one_then_d1_to_d6_then_the_bridges() -> None:
    network = narrow()
    outs: list[Tensor] = []
    for stage in (network.bridge, *network.decoder):
        stage.register_forward_hook(lambda _stage, _inputs, maps: outs.append(maps))
    with torch.inference_mode():
        outputs = network(torch.randn(1, 3, 64, 96))
        for found, side, maps in zip(outputs.sides, network.sides, reversed(outs), strict=True):
            torch.testing.assert_close(found, enlarge(side(maps), (64, 96)))
        assert network.refine is not None
        torch.testing.assert_close(outputs.final, network.refine(outputs.sides[0]))


def test_without_refinement_d1_is_the_answer() -> None:
    refined, plain = narrow(), narrow(refinement=False)
    weights = {name: value for name, value in refined.state_dict().items() if not name.startswith("refine.")}
    plain.load_state_dict(weights)
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        expected, found = refined(images), plain(images)
    assert len(found.maps) == 7
    for ours, theirs in zip(found.maps, expected.sides, strict=True):
        assert torch.equal(ours, theirs)


def test_imagenet_weights_fill_the_residual_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    source = timm.create_model("resnet34", pretrained=False)
    monkeypatch.setattr(
        timm, "create_model", lambda name, *, pretrained: {("resnet34", True): source}[name, pretrained]
    )
    network = BASNet(pretrained=True)
    for ours, theirs in zip(
        network.encoder, (source.layer1, source.layer2, source.layer3, source.layer4), strict=False
    ):
        weights = theirs.state_dict()
        assert ours.state_dict().keys() == weights.keys()
        assert all(torch.equal(value, weights[name]) for name, value in ours.state_dict().items())


def test_imagenet_weights_need_the_published_width() -> None:
    with pytest.raises(NetworkError, match="fit only width 1"):
        BASNet(0.5, pretrained=True)
