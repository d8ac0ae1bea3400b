import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.channel_transformer import (
    CrossAttentionTransformer,
    Mlp,
    MultiHeadChannelAttention,
    PatchEmbedding,
    Reconstruct,
    TransformerLayer,
)
from models.networks.cost import parameters_of

CHANNELS = (4, 6)
PATCHES = (4, 2)
TOTAL = sum(CHANNELS)


def tokens(channels: int, count: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(2, count, channels, generator=torch.Generator().manual_seed(seed))


def levels(side: int = 28) -> list[Tensor]:
    return [torch.randn(2, CHANNELS[0], side, side), torch.randn(2, CHANNELS[1], side // 2, side // 2)]


def small(**knobs: bool) -> CrossAttentionTransformer:
    torch.manual_seed(5)
    return CrossAttentionTransformer(CHANNELS, PATCHES, heads=3, layers=2, **knobs)


def test_attention_is_between_channels_with_full_heads_normalised_and_averaged() -> None:
    torch.manual_seed(2)
    heads = 3
    attention = MultiHeadChannelAttention(CHANNELS, heads).eval()
    own = [tokens(channels, seed=channels) for channels in CHANNELS]
    everything = tokens(TOTAL, seed=9)
    for level, found in enumerate(attention(own, everything)):
        channels = CHANNELS[level]
        summed = torch.zeros(2, channels, 9)
        for head in range(heads):
            query = own[level] @ attention.queries[level].weight[head * channels :][:channels].T
            key = everything @ attention.keys.weight[head * TOTAL :][:TOTAL].T
            value = everything @ attention.values.weight[head * TOTAL :][:TOTAL].T
            scores = torch.einsum("bnc,bns->bcs", query, key) / math.sqrt(TOTAL)
            mean = scores.mean((1, 2), keepdim=True)
            variance = ((scores - mean) ** 2).mean((1, 2), keepdim=True)
            weights = torch.exp((scores - mean) / torch.sqrt(variance + 1e-5))
            weights = weights / weights.sum(2, keepdim=True)
            summed += torch.einsum("bcs,bns->bcn", weights, value)
        expected = (summed / heads).transpose(1, 2) @ attention.projections[level].weight.T
        torch.testing.assert_close(found, expected)


def test_a_layer_adds_attention_then_the_perceptron() -> None:
    torch.manual_seed(2)
    layer = TransformerLayer(CHANNELS, heads=2).eval()
    inputs = [tokens(channels, seed=channels) for channels in CHANNELS]

    def normed(values: Tensor) -> Tensor:
        return functional.layer_norm(values, values.shape[-1:], eps=1e-6)

    attended = layer.attention([normed(scale) for scale in inputs], normed(torch.cat(inputs, 2)))
    for found, scale, change, mlp in zip(layer(inputs), inputs, attended, layer.mlps, strict=True):
        summed = scale + change
        hidden = functional.gelu(normed(summed) @ mlp[0].weight.T + mlp[0].bias)
        torch.testing.assert_close(found, summed + hidden @ mlp[2].weight.T + mlp[2].bias)


def test_positions_are_added_as_they_are_at_the_training_size() -> None:
    embed = PatchEmbedding(6, 2, position_embedding=True).eval()
    assert embed.position is not None
    assert not embed.position.any()
    embed.position.data.normal_()
    maps = torch.randn(1, 6, 14, 14)
    expected = functional.conv2d(maps, embed.project.weight, embed.project.bias, stride=2) + embed.position
    torch.testing.assert_close(embed(maps), expected)


def test_positions_are_resized_to_another_grid() -> None:
    embed = PatchEmbedding(1, 2, position_embedding=True).eval()
    embed.project.weight.data.zero_()
    embed.project.bias.data.zero_()
    assert embed.position is not None
    embed.position.data.copy_(torch.arange(7.0).expand(7, 7))
    found = embed(torch.randn(1, 1, 16, 28))
    assert found.shape == (1, 1, 8, 14)
    # Bilinear between the centres of the 7 places, held at the borders.
    expected = ((torch.arange(14.0) + 0.5) / 2 - 0.5).clamp(0, 6)
    torch.testing.assert_close(found[0, 0], expected.expand(8, 14))


def test_positions_can_be_switched_off() -> None:
    without = small(position_embedding=False)
    assert parameters_of(small()) - parameters_of(without) == 49 * TOTAL
    assert not any("position" in name for name in without.state_dict())
    assert [out.shape for out in without(levels(64))] == [level.shape for level in levels(64)]


def test_reconstruction_repeats_each_token_over_its_patch() -> None:
    torch.manual_seed(3)
    reconstruct = Reconstruct(6, 4).eval()
    grid = torch.randn(1, 6, 2, 3)
    repeated = grid.repeat_interleave(4, 2).repeat_interleave(4, 3)
    conv, norm = reconstruct[1], reconstruct[2]
    expected = norm(functional.conv2d(repeated, conv.weight, conv.bias)).relu()
    torch.testing.assert_close(reconstruct(grid), expected)


def test_skips_are_added_to_their_reconstruction() -> None:
    transformer = small().eval()
    for reconstruct in transformer.reconstruct:
        reconstruct[2].weight.data.zero_()
        reconstruct[2].bias.data.fill_(0.5)
    skips = levels()
    for found, skip in zip(transformer(skips), skips, strict=True):
        torch.testing.assert_close(found, skip + 0.5)


def test_tokens_return_to_their_own_places() -> None:
    transformer = small(position_embedding=False).eval()
    skips = levels()
    flipped = [skip.flip(3) for skip in skips]
    for embed in transformer.embed:
        embed.project.weight.data.copy_(embed.project.weight.mean((2, 3), keepdim=True))
    for found, mirrored in zip(transformer(skips), transformer(flipped), strict=True):
        torch.testing.assert_close(mirrored, found.flip(3), atol=1e-5, rtol=1e-4)


def test_every_level_sees_every_other() -> None:
    transformer = small().eval()
    skips = levels()
    before = transformer(skips)
    after = transformer([skips[0], skips[1] + torch.randn_like(skips[1])])
    assert not torch.allclose(before[0], after[0])


def test_dropout_acts_only_in_training() -> None:
    embed = PatchEmbedding(8, 2, position_embedding=False)
    embed.project.weight.data.zero_()
    embed.project.bias.data.fill_(1.0)
    maps = torch.zeros(4, 8, 32, 32)
    assert float((embed.train()(maps) == 0).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert torch.equal(embed.eval()(maps), torch.ones(4, 8, 16, 16))
    transformer, skips = small(), levels()
    first, second = transformer.eval()(skips), transformer(skips)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    rates = [module.p for module in transformer.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.1] * (len(CHANNELS) + 2 * 2)


def test_perceptrons_start_xavier_uniform_with_hardly_any_bias() -> None:
    torch.manual_seed(2)
    first = Mlp(64)[0]
    bound = (6 / (64 + 256)) ** 0.5
    assert float(first.weight.detach().abs().max()) == pytest.approx(bound, rel=0.01)
    assert float(first.bias.detach().std()) == pytest.approx(1e-6, rel=0.2)
