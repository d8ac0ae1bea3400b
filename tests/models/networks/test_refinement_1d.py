import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.cost import parameters_of
from models.networks.refinement_1d import CrossAttention, CrossAttentionRefinement, ResidualRefinement1D

DILATIONS = (1, 1, 2, 4)


def maps(channels: int, seed: int = 1) -> Tensor:
    return torch.randn(2, channels, 32, 48, generator=torch.Generator().manual_seed(seed))


def columns(conv: nn.Conv2d, values: Tensor, dilation: int) -> Tensor:
    assert conv.kernel_size == (3, 1)
    return functional.conv2d(
        values, conv.weight, conv.bias, padding=(dilation, 0), dilation=(dilation, 1)
    ).relu()


def rows(stage: nn.Sequential, values: Tensor, dilation: int) -> Tensor:
    conv, norm, _ = stage
    assert conv.kernel_size == (1, 3)
    return norm(
        functional.conv2d(values, conv.weight, conv.bias, padding=(0, dilation), dilation=(1, dilation))
    ).relu()


def recomputed(network: ResidualRefinement1D, coarse: Tensor) -> Tensor:
    values, skips = coarse, []
    for stage, dilation in enumerate(DILATIONS):
        skips.append(columns(network.down_columns[stage][0], values, dilation))
        values = functional.max_pool2d(rows(network.down_rows[stage], skips[-1], dilation), 2, ceil_mode=True)
    values = network.bridge(values)
    for stage in (3, 2, 1, 0):
        values = functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)
        decoded = columns(network.up_columns[stage][0], values, DILATIONS[stage])
        skip = network.attend[stage](skips[stage], decoded)
        values = rows(network.up_rows[stage], torch.cat([decoded, skip], 1), DILATIONS[stage])
    return coarse + functional.conv2d(values, network.predict.weight)


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        assert parameters_of(ResidualRefinement1D()) == 272_832
        assert parameters_of(CrossAttentionRefinement()) == 306_112


def test_skips_leave_between_columns_and_rows_before_any_normalisation() -> None:
    torch.manual_seed(2)
    for network in (ResidualRefinement1D(8).eval(), CrossAttentionRefinement(8).eval()):
        torch.testing.assert_close(network(maps(1)), recomputed(network, maps(1)))


def test_without_a_residual_the_coarse_map_stays() -> None:
    network = ResidualRefinement1D(8)
    network.predict.weight.data.zero_()
    assert torch.equal(network(maps(1)), maps(1))


def test_cross_attention_weighs_by_the_sigmoid_of_the_mean_of_two_votes() -> None:
    block = CrossAttention(8)
    encoded, decoded = maps(8), maps(8, seed=2)
    of_encoded = encoded.mean((2, 3)) @ block.of_encoded.weight.T + block.of_encoded.bias
    of_decoded = decoded.mean((2, 3)) @ block.of_decoded.weight.T + block.of_decoded.bias
    mask = ((of_encoded + of_decoded) / 2).sigmoid()
    expected = (mask[..., None, None] * encoded).clamp(min=0)
    torch.testing.assert_close(block(encoded, decoded), expected)


def test_carm_is_rrs_1d_with_weighed_skips() -> None:
    torch.manual_seed(2)
    attentive, plain = CrossAttentionRefinement(8).eval(), ResidualRefinement1D(8).eval()
    found = plain.load_state_dict(attentive.state_dict(), strict=False)
    assert not found.missing_keys
    assert {name.split(".")[0] for name in found.unexpected_keys} == {"attend"}
    for attention in attentive.attend:
        for vote in (attention.of_encoded, attention.of_decoded):
            vote.weight.data.zero_()
            vote.bias.data.fill_(100)
    torch.testing.assert_close(attentive(maps(1)), plain(maps(1)))
