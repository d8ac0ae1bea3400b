from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.u2net import RSU, RSU4F, U2Net, U2NetP
from tests.models.networks.plain import conv_bn_relu, enlarge, settled


def plain_rsu(block: RSU, maps: Tensor) -> Tensor:
    """RSU-L as the paper nests it: a level is a U around the level below."""
    last = len(block.encoder) - 1

    def level(depth: int, maps: Tensor) -> Tensor:
        skip = conv_bn_relu(block.encoder[depth], maps)
        if depth == last:
            inner = conv_bn_relu(block.bottom, skip, dilation=2)
        else:
            below = level(depth + 1, functional.max_pool2d(skip, 2, ceil_mode=True))
            inner = enlarge(below, (skip.shape[2], skip.shape[3]))
        return conv_bn_relu(block.decoder[last - depth], torch.cat([inner, skip], dim=1))

    residual = conv_bn_relu(block.entry, maps)
    return level(0, residual) + residual


@pytest.mark.parametrize("height", [4, 5, 6, 7])
def test_rsu_is_the_papers(height: int) -> None:
    torch.manual_seed(1)
    block = RSU(height, 3, 4, 6)
    settled(block)
    assert len(block.encoder) == height - 1
    maps = torch.randn(1, 3, 45, 34)
    with torch.inference_mode():
        torch.testing.assert_close(block(maps), plain_rsu(block, maps))


def test_rsu4f_dilates_where_others_pool() -> None:
    torch.manual_seed(1)
    block = RSU4F(3, 4, 6)
    settled(block)
    maps = torch.randn(1, 3, 19, 23)
    with torch.inference_mode():
        residual = conv_bn_relu(block.entry, maps)
        down1 = conv_bn_relu(block.encoder[0], residual, 1)
        down2 = conv_bn_relu(block.encoder[1], down1, 2)
        down3 = conv_bn_relu(block.encoder[2], down2, 4)
        up = conv_bn_relu(block.bottom, down3, 8)
        up = conv_bn_relu(block.decoder[0], torch.cat([up, down3], dim=1), 4)
        up = conv_bn_relu(block.decoder[1], torch.cat([up, down2], dim=1), 2)
        up = conv_bn_relu(block.decoder[2], torch.cat([up, down1], dim=1), 1)
        torch.testing.assert_close(block(maps), up + residual)


@pytest.mark.parametrize(
    ("network", "encoder", "decoder"),
    [
        (
            U2Net,
            [(3, 32, 64), (64, 32, 128), (128, 64, 256), (256, 128, 512), (512, 256, 512), (512, 256, 512)],
            [(1024, 256, 512), (1024, 128, 256), (512, 64, 128), (256, 32, 64), (128, 16, 64)],
        ),
        (U2NetP, [(3, 16, 64), *[(64, 16, 64)] * 5], [(128, 16, 64)] * 5),
    ],
)
def test_stages_have_the_published_blocks(
    network: type[U2Net], encoder: list[tuple[int, int, int]], decoder: list[tuple[int, int, int]]
) -> None:
    with torch.device("meta"):
        built = network()
    assert [sizes(stage) for stage in built.encoder] == encoder
    assert [sizes(stage) for stage in built.decoder] == decoder
    assert [height(stage) for stage in built.encoder] == [7, 6, 5, 4, "4F", "4F"]
    assert [height(stage) for stage in built.decoder] == ["4F", 4, 5, 6, 7]


def sizes(stage: nn.Module) -> tuple[int, int, int]:
    assert isinstance(stage, RSU | RSU4F)
    entry, inner = stage.get_parameter("entry.0.weight"), stage.get_parameter("bottom.0.weight")
    assert stage.get_parameter(f"decoder.{len(stage.decoder) - 1}.0.weight").shape[0] == entry.shape[0]
    return entry.shape[1], inner.shape[0], entry.shape[0]


def height(stage: nn.Module) -> int | str:
    assert isinstance(stage, RSU | RSU4F)
    return "4F" if isinstance(stage, RSU4F) else len(stage.encoder) + 1


def test_the_final_map_fuses_the_sides() -> None:
    torch.manual_seed(1)
    network = U2NetP(0.25).eval()
    with torch.inference_mode():
        outputs = network(torch.randn(2, 3, 32, 64))
        weights = network.fuse.weight.flatten()
        fused = sum(weight * side for weight, side in zip(weights, outputs.sides, strict=True))
        torch.testing.assert_close(outputs.final, fused + network.fuse.bias)


def test_sides_are_those_of_stages_1_to_6() -> None:
    torch.manual_seed(1)
    network = U2NetP(0.25).eval()
    outs: list[Tensor] = []
    for stage in (network.encoder[5], *network.decoder):
        stage.register_forward_hook(lambda _stage, _inputs, maps: outs.append(maps))
    with torch.inference_mode():
        sides = network(torch.randn(1, 3, 64, 96)).sides
        for found, side, maps in zip(sides, network.sides, reversed(outs), strict=True):
            torch.testing.assert_close(found, enlarge(side(maps), (64, 96)))
