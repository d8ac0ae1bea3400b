import pytest
import torch
from torch.nn import functional

from models.networks.octave import WEIGHT_GAIN, DepthwiseConv, DilatedConvs, OctaveConv

SIZE = 32


def branches(*channels: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [
        torch.rand(1, count, SIZE >> scale, SIZE >> scale, generator=generator)
        for scale, count in enumerate(channels)
    ]


def test_one_branch_is_an_ordinary_convolution() -> None:
    conv = OctaveConv((4,), (6,), kernel=3)
    (image,) = branches(4)
    assert torch.equal(conv([image])[0], functional.conv2d(image, conv.weight, padding=1))


def test_branches_exchange_by_pooling_down_and_interpolating_up() -> None:
    conv = OctaveConv((2, 3), (4, 5), kernel=1)
    fine, coarse = branches(2, 3)
    weight = conv.weight
    up = functional.interpolate(
        functional.conv2d(coarse, weight[:4, 2:]), scale_factor=2.0, mode="bilinear", align_corners=False
    )
    expected_fine = functional.conv2d(fine, weight[:4, :2]) + up
    pooled = functional.max_pool2d(fine, 2)
    expected_coarse = functional.conv2d(pooled, weight[4:, :2]) + functional.conv2d(coarse, weight[4:, 2:])
    out_fine, out_coarse = conv([fine, coarse])
    torch.testing.assert_close(out_fine, expected_fine)
    torch.testing.assert_close(out_coarse, expected_coarse)


def test_stride_averages_every_branch_first() -> None:
    conv = OctaveConv((2, 2), (3, 3), kernel=3, stride=2)
    inputs = branches(2, 2)
    plain = OctaveConv((2, 2), (3, 3), kernel=3)
    plain.load_state_dict(conv.state_dict())
    halved = [functional.avg_pool2d(branch, 2) for branch in inputs]
    for strided, expected in zip(conv(inputs), plain(halved), strict=True):
        assert torch.equal(strided, expected)


def test_three_scales_fuse_at_the_finest() -> None:
    (fused,) = OctaveConv((2, 3, 4), (5,), kernel=1)(branches(2, 3, 4))
    assert fused.shape == (1, 5, SIZE, SIZE)


def test_depthwise_keeps_channels_apart_and_applies_the_gain() -> None:
    conv = DepthwiseConv((2, 3))
    inputs = branches(2, 3)
    changed = [inputs[0].clone(), inputs[1]]
    changed[0][:, 0] += 1
    before, after = conv(inputs), conv(changed)
    assert not torch.equal(before[0][:, 0], after[0][:, 0])
    assert torch.equal(before[0][:, 1], after[0][:, 1])
    assert torch.equal(before[1], after[1])
    expected = functional.conv2d(inputs[1], conv.weight[2:] * WEIGHT_GAIN, padding=1, groups=3)
    torch.testing.assert_close(before[1], expected)


@pytest.mark.parametrize(("channels", "shares"), [(13, [2, 2, 2, 2, 5]), (26, [5, 5, 5, 5, 6])])
def test_each_dilation_gives_a_fifth_and_the_last_the_rest(channels: int, shares: list[int]) -> None:
    conv = DilatedConvs((channels,))
    (image,) = branches(channels)
    (out,) = conv([image])
    start = 0
    for share, dilation in zip(shares, DilatedConvs.DILATIONS, strict=True):
        block = conv.weights[0][start : start + share] * WEIGHT_GAIN
        expected = functional.conv2d(image, block, padding=dilation, dilation=dilation)
        torch.testing.assert_close(out[:, start : start + share], expected)
        start += share
    assert start == channels
