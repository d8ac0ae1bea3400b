from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from models.errors import ImageShapeError, NetworkError
from models.networks.cost import parameters_of
from models.networks.csnet import CSNet
from models.networks.csnet_channels import BLOCKS, PRUNED, CSNetChannels


def test_parts_have_the_published_sizes() -> None:
    network = CSNet()
    stages = [parameters_of(stage) for stage in network.stages]
    assert stages == [1_080, 2_820, 16_320, 73_760, 85_440]
    assert parameters_of(network.head.fuse) == 31_499
    assert parameters_of(network.head.classify) == 66


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 48, 80)])
def test_the_map_has_the_size_of_the_image(shape: tuple[int, int, int, int]) -> None:
    logits = CSNet()(torch.rand(shape)).final
    assert logits.shape == (shape[0], 1, shape[2], shape[3])
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("preset", "scales", "head", "pyramid", "fused"),
    [
        ("l-x1", [34, 38, 50], [12, 24, 24], [11, 18, 17], 60),
        ("l-x2", [51, 38, 64], [17, 38, 32], [8, 24, 18], 79),
    ],
)
def test_the_pruned_networks_have_their_authors_channels(
    preset: str, scales: list[int], head: list[int], pyramid: list[int], fused: int
) -> None:
    network = CSNet(preset=preset)
    assert [stage[-1].units[0].norms[0].num_features for stage in list(network.stages)[2:]] == scales
    units = [[norm.num_features for norm in unit.norms] for unit in network.head.fuse]
    assert units == [head, pyramid, [fused]]
    assert network.head.classify.in_channels == fused


def test_a_share_splits_every_block_but_the_single_ones() -> None:
    channels = CSNetChannels.published(20, fine_share=0.7)
    assert channels.stages[2] == ((28, 12), (28, 12), (28, 12), (40,))
    network = CSNet(fine_share=0.7)
    assert network.channels == channels
    assert network(torch.rand(2, 3, 32, 32)).final.shape == (2, 1, 32, 32)


def test_an_even_share_is_the_published_network() -> None:
    assert CSNetChannels.published().stages[3] == (*((40, 40),) * 5, (80,))
    assert CSNetChannels.published().dilated == ((2, 2, 2, 2, 5), (5, 5, 5, 5, 6), (5, 5, 5, 5, 6))


def without(channels: CSNetChannels, stage: int, block: int, branch: int) -> CSNetChannels:
    splits = [list(blocks) for blocks in channels.stages]
    split = list(splits[stage][block])
    split[branch] = 0
    splits[stage][block] = tuple(split)
    return replace(channels, stages=tuple(tuple(blocks) for blocks in splits))


@settings(max_examples=8)
@given(st.data())
def test_any_branch_may_be_pruned_away(data: st.DataObject) -> None:
    channels = CSNetChannels.published(4)
    for stage, blocks in enumerate(BLOCKS):
        for block in range(blocks - (stage > 1)):
            branch = data.draw(st.sampled_from((None, 0, 1)))
            if branch is not None:
                channels = without(channels, stage, block, branch)
    network = CSNet(channels=channels)
    network(torch.rand(2, 3, 32, 32)).final.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_scale_of_the_head_may_be_pruned_away() -> None:
    channels = replace(
        CSNetChannels.published(), head=(13, 0, 26), dilated=((2, 2, 2, 2, 5), (0,) * 5, (5, 5, 5, 5, 6))
    )
    network = CSNet(channels=channels)
    assert network(torch.rand(2, 3, 32, 32)).final.shape == (2, 1, 32, 32)
    assert set(network.head.fuse[1].conv.state_dict()) == {"weights.0", "weights.2"}


@pytest.mark.parametrize("preset", PRUNED)
def test_a_width_scales_pruned_channels_and_keeps_what_was_pruned(preset: str) -> None:
    whole, half = CSNetChannels.pruned(preset), CSNetChannels.pruned(preset).scaled(0.5)
    assert CSNet(0.5, preset=preset).channels == half
    assert half.fused == round(whole.fused / 2)
    for before, after in zip(whole.dilated, half.dilated, strict=True):
        assert [bool(channels) for channels in before] == [bool(channels) for channels in after]
    assert whole.scaled(1) == whole


PUBLISHED = CSNetChannels.published()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"stages": PUBLISHED.stages[:4]},
            r"expected stages of \[1, 3, 4, 6, 4\] blocks, got \[1, 3, 4, 6\]",
        ),
        (
            {"stages": (((0, 0),), *PUBLISHED.stages[1:])},
            r"channels in 2 branches of block 0 of stage 0, got \(0, 0\)",
        ),
        ({"head": (13, 26)}, r"channels in 3 branches of the head, got \(13, 26\)"),
        ({"head": (13, 26, 0)}, "scale 2 of the head has dilated channels, but none"),
        ({"dilated": ((1, 2, 3),) * 3}, "expected 3 x 5 dilated channels"),
        ({"dilated": ((0,) * 5,) * 3}, "channels in 3 branches of the pyramid"),
        ({"fused": 0}, "channels in 1 branches of the fusion"),
    ],
)
def test_channels_that_make_no_network_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        replace(PUBLISHED, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [PUBLISHED, *PRUNED.values()])
def test_channels_are_read_back_from_their_text(channels: CSNetChannels) -> None:
    assert CSNetChannels.parse(str(channels)) == channels
    assert CSNet(channels=str(channels)).channels == channels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("10", "ten"), "expected channels as stages;head;dilated;fused"),
        ((";", ":"), "expected channels as stages;head;dilated;fused"),
        (("10", "9999"), "expected channels as stages;head;dilated;fused"),
        (("/", " "), r"expected stages of \[1, 3, 4, 6, 4\] blocks, got \[18\]"),
    ],
)
def test_text_that_makes_no_network_is_refused(change: tuple[str, str], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        CSNet(channels=str(PUBLISHED).replace(*change))


def test_a_stem_of_stride_2_looks_at_half_the_size() -> None:
    network, whole = CSNet(stem_stride=2), CSNet()
    whole.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        logits = network(images).final
        expected = functional.interpolate(
            whole(functional.avg_pool2d(images, 2)).final, scale_factor=2.0, mode="bilinear"
        )
    assert logits.shape == (2, 1, 64, 96)
    # Both enlarge the same map, one in one step and one in two.
    assert float((logits - expected).abs().mean()) < 0.1 * float(logits.std())
    with pytest.raises(ImageShapeError, match="multiples of 32"):
        network(torch.rand(1, 3, 48, 48))
    with pytest.raises(NetworkError, match="expected a stem stride of 1 or 2, got 4"):
        CSNet(stem_stride=4)


def test_presets_are_known_and_stand_alone() -> None:
    with pytest.raises(NetworkError, match="no preset l-x3: expected one of l-x1, l-x2"):
        CSNet(preset="l-x3")
    with pytest.raises(NetworkError, match="expected a preset, channels, or base width and share: got more"):
        CSNet(preset="l-x1", channels=PUBLISHED)
    with pytest.raises(NetworkError, match="expected channels in 2 branches of block 0 of stage 0"):
        CSNet(0.02)
