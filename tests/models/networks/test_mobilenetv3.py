import pytest
import torch
from torch import nn

from models.networks.cost import parameters_of
from models.networks.mobilenetv3 import (
    LARGE,
    HardSigmoid,
    InvertedResidual,
    MobileNetV3,
    SqueezeExcite,
    make_divisible,
)


def test_the_hard_sigmoid_has_slope_one_fifth() -> None:
    values = torch.tensor([-3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0], requires_grad=True)
    gates = HardSigmoid()(values)
    torch.testing.assert_close(gates, torch.tensor([0.0, 0.0, 0.3, 0.5, 0.7, 1.0, 1.0]))
    gates[2:5].sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([0, 0, 0.2, 0.2, 0.2, 0, 0]))


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(4, 8), (8, 8), (36, 40), (27.9, 32), (11.9, 16), (100, 104), (92, 96), (60, 64)],
)
def test_channels_are_rounded_to_eights_but_never_below_nine_tenths(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded


def test_the_squeeze_has_a_quarter_of_the_channels_and_gates_each() -> None:
    squeeze = SqueezeExcite(40)
    narrow, wide = (layer for layer in squeeze.gate if isinstance(layer, nn.Conv2d))
    assert (narrow.out_channels, wide.out_channels) == (10, 40)
    maps = torch.rand(2, 40, 6, 6)
    mean = maps.mean(dim=(2, 3))
    hidden = torch.relu(mean @ narrow.weight[:, :, 0, 0].T + narrow.bias)
    gates = (0.2 * (hidden @ wide.weight[:, :, 0, 0].T + wide.bias) + 0.5).clamp(0, 1)
    torch.testing.assert_close(squeeze(maps), maps * gates[:, :, None, None])


def test_every_block_expands_also_the_first() -> None:
    network = MobileNetV3()
    first = network.blocks[0].layers[0][0]
    assert (first.in_channels, first.out_channels, first.kernel_size) == (8, 8, (1, 1))
    assert len(network.blocks) == len(LARGE) == 15


def test_only_blocks_that_keep_size_and_channels_have_a_residual() -> None:
    blocks = MobileNetV3().blocks
    # Rounding to eights gives the first block as many channels as the stem.
    assert [number for number, block in enumerate(blocks, 1) if block.residual] == [
        1, 3, 5, 6, 8, 9, 10, 12, 14, 15
    ]  # fmt: skip


def test_a_residual_adds_its_input() -> None:
    block = InvertedResidual(8, LARGE[4], lambda channels: channels // 5).eval()
    assert block.residual
    maps = torch.rand(1, 8, 8, 8)
    torch.testing.assert_close(block(maps), maps + block.layers(maps))


def test_features_are_the_published_ones() -> None:
    network = MobileNetV3().eval()
    assert parameters_of(network) == 738_662
    features = network(torch.rand(1, 3, 64, 96))
    assert [tuple(maps.shape[1:]) for maps in features] == [(16, 16, 24), (24, 8, 12), (56, 4, 6), (80, 2, 3)]


def test_a_width_scales_the_half_width_network() -> None:
    assert MobileNetV3(2.0).channels == (24, 40, 112, 160)
    assert MobileNetV3(0.5).channels == (8, 16, 32, 40)
