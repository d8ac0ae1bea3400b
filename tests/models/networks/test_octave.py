import pytest
import torch
from torch.nn import functional

from models.networks.octave import (
    DILATIONS,
    WEIGHT_GAIN,
    Branches,
    DepthwiseConv,
    DilatedConvs,
    NormalisedUnit,
    OctaveConv,
    Split,
)

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


@pytest.mark.parametrize(
    ("channels", "shares"), [(13, (2, 2, 2, 2, 5)), (26, (5, 5, 5, 5, 6)), (7, (0, 2, 0, 1, 3))], ids=str
)
def test_each_dilation_gives_its_share(channels: int, shares: Split) -> None:
    conv = DilatedConvs((channels,), [shares])
    (image,) = branches(channels)
    (out,) = conv([image])
    assert out.shape == (1, sum(shares), SIZE, SIZE)
    start = 0
    for share, dilation in zip(shares, DILATIONS, strict=True):
        block = conv.weights["0"][start : start + share] * WEIGHT_GAIN
        if share:
            expected = functional.conv2d(image, block, padding=dilation, dilation=dilation)
            torch.testing.assert_close(out[:, start : start + share], expected)
        start += share


def test_an_empty_input_branch_is_skipped() -> None:
    fine, coarse = branches(2, 3)
    from_fine, from_coarse = OctaveConv((2, 0), (4, 5), kernel=3), OctaveConv((0, 3), (4, 5), kernel=3)
    both = OctaveConv((2, 3), (4, 5), kernel=3)
    both.load_state_dict({"weight": torch.cat([from_fine.weight, from_coarse.weight], dim=1)})
    parts = zip(from_fine([fine, None]), from_coarse([None, coarse]), strict=True)
    for whole, (left, right) in zip(both([fine, coarse]), parts, strict=True):
        torch.testing.assert_close(whole, left + right)


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_output_branch_has_no_map_and_no_weights(empty: int) -> None:
    out_split = (0, 5) if empty == 0 else (4, 0)
    inputs: Branches = branches(2, 3)
    unit = NormalisedUnit(OctaveConv((2, 3), out_split, kernel=1), out_split)
    depthwise = NormalisedUnit(DepthwiseConv(out_split), out_split)
    outputs = depthwise(unit(inputs))
    assert [output is None for output in outputs] == [empty == 0, empty == 1]
    assert outputs[1 - empty].shape[1] == sum(out_split)
    assert all(parameter.numel() for parameter in unit.parameters())
    kept = {name.split(".")[1] for name in unit.state_dict() if name.startswith("norms.")}
    assert kept == {str(1 - empty)}
