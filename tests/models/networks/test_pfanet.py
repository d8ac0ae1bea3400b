from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import ImageShapeError, NetworkError
from models.losses import HybridLoss
from models.networks.cost import parameters_of
from models.networks.pfanet import CPFE, ChannelAttention, PFANet, SpatialAttention
from tests.models.networks.plain import conv_bn_relu, enlarge, settled


def narrow() -> PFANet:
    torch.manual_seed(1)
    network = PFANet(0.125)
    settled(network)
    return network


def test_parts_have_the_sizes_of_the_authors_layers() -> None:
    with torch.device("meta"):
        network = PFANet()
    assert parameters_of(network.backbone) == 14_714_688
    assert [parameters_of(cpfe) for cpfe in network.cpfe] == [229_632, 459_008, 459_008]
    assert parameters_of(network.channel_attention) == 74_208
    assert parameters_of(network.fuse_high) == 24_768
    assert parameters_of(network.spatial_attention) == 37_638
    low = (network.low1, network.low2, network.fuse_low)
    assert [parameters_of(part) for part in low] == [37_056, 73_920, 73_920]
    assert parameters_of(network.head) == 1_153


def test_cpfe_concatenates_growing_dilations() -> None:
    torch.manual_seed(1)
    block = CPFE(5, 3)
    settled(block)
    maps = torch.randn(2, 5, 17, 20)
    with torch.inference_mode():
        found = block(maps)
        norm = block.activate[0]
        for index, dilation in enumerate((1, 3, 5, 7)):
            kernel = block.branches[index].weight
            padding = dilation if kernel.shape[2] == 3 else 0
            branch = functional.conv2d(maps, kernel, padding=padding, dilation=dilation)
            part = slice(3 * index, 3 * index + 3)
            scale = norm.weight[part] / (norm.running_var[part] + 1e-5).sqrt()
            expected = (branch - norm.running_mean[part, None, None]) * scale[:, None, None]
            torch.testing.assert_close(found[:, part], (expected + norm.bias[part, None, None]).clamp(min=0))
    assert [tuple(branch.weight.shape[2:]) for branch in block.branches] == [(1, 1), (3, 3), (3, 3), (3, 3)]


def test_channel_attention_is_a_bottleneck_of_channel_means() -> None:
    torch.manual_seed(1)
    block = ChannelAttention(8)
    maps = torch.randn(2, 8, 5, 7)
    first, _, second, _ = block.weigh
    with torch.inference_mode():
        squeezed = (maps.flatten(2).mean(dim=2) @ first.weight.T + first.bias).clamp(min=0)
        expected = (squeezed @ second.weight.T + second.bias).sigmoid()
        torch.testing.assert_close(block(maps)[:, :, 0, 0], expected)
    assert squeezed.shape == (2, 2)


def test_spatial_attention_adds_both_orders_of_long_convolutions() -> None:
    torch.manual_seed(1)
    block = SpatialAttention(8)
    settled(block)
    maps = torch.randn(1, 8, 12, 15)
    with torch.inference_mode():
        rows_first = conv_bn_relu(block.rows_first[1], conv_bn_relu(block.rows_first[0], maps))
        columns_first = conv_bn_relu(block.columns_first[1], conv_bn_relu(block.columns_first[0], maps))
        torch.testing.assert_close(block(maps), torch.sigmoid(rows_first + columns_first))
    kernels = [
        [tuple(unit[0].weight.shape) for unit in branch] for branch in (block.rows_first, block.columns_first)
    ]
    assert kernels == [[(4, 8, 1, 9), (1, 4, 9, 1)], [(4, 8, 9, 1), (1, 4, 1, 9)]]


@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0])
def test_the_gate_never_closes(scale: float) -> None:
    torch.manual_seed(1)
    block = SpatialAttention(8)
    settled(block)
    with torch.inference_mode():
        gate = block(scale * torch.randn(1, 8, 30, 30))
    assert gate.shape == (1, 1, 30, 30)
    assert float(gate.min()) >= 0.5
    assert float(gate.max()) < 1.0


def test_the_network_joins_its_parts_as_the_authors_do() -> None:
    network = narrow()
    images = torch.randn(1, 3, 32, 48)

    def aligned(maps: Tensor, rows: int, columns: int) -> Tensor:
        return enlarge(maps, (rows, columns), align_corners=True)

    with torch.inference_mode():
        c1, c2, c3, c4, c5 = network.backbone(images)
        context = [cpfe(level) for cpfe, level in zip(network.cpfe, (c3, c4, c5), strict=True)]
        pyramid = torch.cat([context[0], aligned(context[1], 8, 12), aligned(context[2], 8, 12)], dim=1)
        weighted = pyramid * network.channel_attention(pyramid)
        high = aligned(conv_bn_relu(network.fuse_high, weighted), 32, 48)
        low = [conv_bn_relu(network.low1, c1), aligned(conv_bn_relu(network.low2, c2), 32, 48)]
        gated = network.spatial_attention(high) * conv_bn_relu(network.fuse_low, torch.cat(low, dim=1))
        joined = torch.cat([gated, high], dim=1)
        expected = functional.conv2d(joined, network.head.weight, network.head.bias, padding=1)
        outputs = network(images)
    torch.testing.assert_close(outputs.final, expected)
    assert outputs.sides == ()


def test_a_map_does_not_depend_on_its_neighbours() -> None:
    network = narrow()
    images = torch.randn(3, 3, 32, 32) * torch.tensor([1.0, 4.0, 0.1])[:, None, None, None]
    with torch.inference_mode():
        together = network(images).final
        alone = torch.cat([network(image[None]).final for image in images])
    torch.testing.assert_close(together, alone)


def test_the_penalty_is_the_mean_attention_and_teaches_it() -> None:
    network = narrow()
    images = torch.randn(2, 3, 32, 32)
    attentions: list[Tensor] = []
    network.channel_attention.register_forward_hook(lambda _part, _inputs, maps: attentions.append(maps))
    outputs, penalty = network.saliency_and_penalty(images)
    torch.testing.assert_close(outputs.final, network(images).final)
    torch.testing.assert_close(penalty, attentions[0].mean())
    penalty.backward()
    last_bias = network.channel_attention.weigh[2].bias
    assert last_bias.grad is not None
    assert (last_bias.grad > 0).all()


def test_training_drops_features_of_the_backbone_and_inference_none() -> None:
    network = narrow()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        silent = float((network.backbone(images)[4] == 0).float().mean())
        dropped = float((network.backbone.train()(images)[4] == 0).float().mean())
        assert torch.equal(network.eval()(images).final, network(images).final)
    assert network.backbone.dropout.p == 0.3
    assert dropped > silent


def test_training_with_the_penalty_leaves_nothing_in_the_way_of_a_copy() -> None:
    network = narrow().train()
    outputs, penalty = network.saliency_and_penalty(torch.randn(2, 3, 32, 32))
    (HybridLoss(ssim=0.0)(outputs, torch.ones(2, 1, 32, 32)) + penalty).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    twin = copy.deepcopy(network).eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(twin(images).final, network.eval()(images).final)


def test_images_that_do_not_fit_are_refused_in_training_too() -> None:
    with pytest.raises(ImageShapeError, match="multiples of 16"):
        narrow().saliency_and_penalty(torch.randn(1, 3, 40, 32))


def test_imagenet_weights_need_the_published_width() -> None:
    with pytest.raises(NetworkError, match="fit only width 1"):
        PFANet(0.5, pretrained=True)
