from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.networks.coilgate import DILATIONS, STRIDE, CoilGate
from models.networks.cost import cost
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


def test_it_is_small() -> None:
    gate, coilnet = (cost(name, 256) for name in ("coilgate", "coilnet-m"))
    assert gate.parameters <= MOST_PARAMETERS
    assert gate.macs < coilnet.macs / 5
