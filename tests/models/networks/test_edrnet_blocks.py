import pytest
import timm
import torch
from torch.nn import functional

from models.networks.edrnet_blocks import (
    CHANNELS,
    Bridge,
    ChannelWeightedBlock,
    Decoder,
    Encoder,
    ResidualDecoderBlock,
    encoder_channels,
    shuffle_channels,
)

NARROW = (4, 4, 8, 16, 32)


def maps(channels: int, side: int = 8, seed: int = 1) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(seed))


def test_cwb_adds_the_weighted_skip() -> None:
    block = ChannelWeightedBlock(6)
    decoded, skip = maps(6), maps(6, seed=2)
    _, reduce, slope, expand, _ = block.weigh
    means = torch.cat([decoded, skip], 1).mean((2, 3))
    hidden = means @ reduce.weight[:, :, 0, 0].T + reduce.bias
    hidden = torch.where(hidden > 0, hidden, 0.25 * hidden)
    weights = (hidden @ expand.weight[:, :, 0, 0].T + expand.bias).sigmoid()
    torch.testing.assert_close(block(decoded, skip), decoded + weights[..., None, None] * skip)
    assert slope.weight.shape == (1,)


def test_shuffle_interleaves_two_groups() -> None:
    order = shuffle_channels(torch.arange(6.0).view(1, 6, 1, 1), 2).flatten()
    assert order.tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("out_channels", [8, 4])
def test_rdb_shuffles_after_its_first_convolution(out_channels: int) -> None:
    torch.manual_seed(4)
    block = ResidualDecoderBlock(8, out_channels).eval()
    block.activation.weight.data.fill_(0.4)
    image = maps(8)
    expected = block.norm1(functional.conv2d(image, block.conv1.weight, block.conv1.bias, padding=1))
    expected = torch.where(expected > 0, expected, 0.4 * expected)
    half = out_channels // 2
    expected = torch.stack([expected[:, :half], expected[:, half:]], 2).flatten(1, 2)
    expected = block.norm2(functional.conv2d(expected, block.conv2.weight, block.conv2.bias, padding=1))
    expected = torch.where(expected > 0, expected, 0.4 * expected)
    expected = block.norm3(functional.conv2d(expected, block.conv3.weight, block.conv3.bias))
    expected = expected + (image if out_channels == 8 else block.shortcut(image))
    expected = torch.where(expected > 0, expected, 0.4 * expected)
    torch.testing.assert_close(block(image), expected)


def test_encoder_levels_have_the_strides_of_the_paper() -> None:
    skips = Encoder(1, NARROW, cbam=True, pretrained=False)(maps(1, side=64))
    assert [tuple(skip.shape[1:]) for skip in skips] == [
        (channels, 64 // stride, 64 // stride)
        for channels, stride in zip(NARROW, (1, 2, 4, 8, 16), strict=True)
    ]


def test_bridge_halves_once_and_dilates_twice() -> None:
    bridge = Bridge(4)
    assert bridge(maps(4)).shape == (2, 4, 4, 4)
    convs = [stage[0] for stage in bridge]
    assert [(conv.stride[0], conv.dilation[0], conv.padding[0]) for conv in convs] == [
        (2, 1, 1),
        (1, 2, 2),
        (1, 4, 4),
    ]


def test_side_maps_come_from_fine_to_coarse_and_the_bridge_last() -> None:
    decoder = Decoder(NARROW)
    for number, side in enumerate(decoder.sides):
        side.weight.data.zero_()
        side.bias.data.fill_(number)
    skips = [
        maps(channels, side=32 // stride) for channels, stride in zip(NARROW, (1, 2, 4, 8, 16), strict=True)
    ]
    found = decoder(maps(NARROW[-1], side=1), skips)
    for number, saliency in enumerate(found):
        assert torch.equal(saliency, torch.full((2, 1, 32, 32), float(number)))
    assert len(found) == 6
    assert [side.in_channels for side in decoder.sides] == [4, 4, 4, 8, 16, 32]


def test_a_level_of_the_decoder_is_upsampling_cwb_and_two_rdbs() -> None:
    decoder = Decoder((4, 8)).eval()
    bridge, fine, coarse = maps(8, side=2), maps(4, side=8), maps(8, side=4)

    def doubled(values: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)

    level1 = decoder.residual[1](decoder.weighted[1](doubled(bridge), coarse))
    level0 = decoder.residual[0](decoder.weighted[0](doubled(level1), fine))
    expected = (
        decoder.sides[0](level0),
        doubled(decoder.sides[1](level1)),
        functional.interpolate(decoder.sides[2](bridge), scale_factor=4.0, mode="bilinear"),
    )
    for found, wanted in zip(decoder(bridge, (fine, coarse)), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("width", [0.01, 0.125, 0.3, 0.5, 1.0, 1.5])
def test_any_width_can_be_shuffled(width: float) -> None:
    channels = encoder_channels(width)
    assert all(count % 2 == 0 and count > 0 for count in channels)
    assert width != 1 or channels == CHANNELS


def test_pretrained_layers_hold_imagenet_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    source = timm.create_model("resnet34", pretrained=False)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: source)
    encoder = Encoder(1, CHANNELS, cbam=False, pretrained=True)
    for number, layer in enumerate(encoder.layers, start=1):
        for name, weight in getattr(source, f"layer{number}").state_dict().items():
            assert torch.equal(layer.state_dict()[name], weight)
