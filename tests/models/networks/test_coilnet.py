from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import models
from models.errors import NetworkError
from models.networks.build import build
from models.networks.coilnet import CONTEXT_DILATIONS, REFINE_DILATIONS, CoilNet, Context, TopDownStage
from models.networks.cost import parameters_of
from models.training.recipe import load_recipe
from tests.models.networks.plain import conv_bn_relu, enlarge, settled

RECIPES = Path(models.__file__).parent / "recipes"


@pytest.fixture
def network() -> CoilNet:
    torch.manual_seed(6)
    network = CoilNet()
    settled(network.backbone)
    assert isinstance(network.refinement, nn.Module)
    return network.eval()


def shown(count: int = 1) -> Tensor:
    return torch.randn(count, 3, 64, 96, generator=torch.Generator().manual_seed(2))


def test_the_context_is_a_pointwise_and_three_dilated_convolutions_side_by_side() -> None:
    context = Context(16, 8)
    settled(context)
    deepest = torch.randn(2, 16, 8, 8)
    with torch.inference_mode():
        reduced = conv_bn_relu(context.reduce, deepest)
        branches = [
            conv_bn_relu(branch, reduced, dilation)
            for branch, dilation in zip(context.branches, CONTEXT_DILATIONS, strict=True)
        ]
        expected = conv_bn_relu(context.fuse, torch.cat([reduced, *branches], dim=1))
        torch.testing.assert_close(context(deepest), expected)


@pytest.mark.parametrize("deeper_channels", [8, 24])
def test_a_stage_smooths_the_sum_of_both_maps(deeper_channels: int) -> None:
    stage = TopDownStage(deeper_channels, 12, 8)
    settled(stage)
    deeper, skip = torch.randn(1, deeper_channels, 4, 6), torch.randn(1, 12, 8, 12)
    with torch.inference_mode():
        shrunk = deeper if deeper_channels == 8 else conv_bn_relu(stage.shrink, deeper)
        total = enlarge(shrunk, (8, 12)) + conv_bn_relu(stage.lateral, skip)
        expected = conv_bn_relu(stage.smooth[1], conv_bn_relu(stage.smooth[0], total))
        torch.testing.assert_close(stage(deeper, skip), expected)


def test_the_final_map_is_the_coarse_one_and_a_residual(network: CoilNet) -> None:
    images = shown()
    seen: dict[str, Tensor] = {}
    assert network.refinement is not None
    network.stages[-1].register_forward_hook(lambda *call: seen.update(features=call[-1]))
    network.sides[-1].register_forward_hook(lambda *call: seen.update(coarse=call[-1]))
    with torch.inference_mode():
        outputs = network(images)
        grey = functional.avg_pool2d(images.mean(dim=1, keepdim=True), 2)
        maps = torch.cat([seen["coarse"].sigmoid(), seen["features"], grey], dim=1)
        for layer, dilation in zip(network.refinement.layers[:-1], REFINE_DILATIONS, strict=True):
            maps = conv_bn_relu(layer, maps, dilation)
        residual = network.refinement.layers[-1](maps)
    torch.testing.assert_close(outputs.sides[0], enlarge(seen["coarse"], (64, 96)))
    torch.testing.assert_close(outputs.final, enlarge(seen["coarse"] + residual, (64, 96)))
    assert residual.abs().max() > 0


def test_the_refinement_may_see_every_pixel() -> None:
    torch.manual_seed(3)
    network = CoilNet(full_refinement=True).eval()
    assert parameters_of(network) == parameters_of(CoilNet())
    with torch.inference_mode():
        outputs = network(shown())
    assert outputs.final.shape == outputs.sides[0].shape == shown()[:, :1].shape
    images, alike = shown(), shown()
    # A pattern that the mean of 2 x 2 pixels hides, and the encoder is not shown.
    images[..., ::2] += 0.1
    images[..., 1::2] -= 0.1
    features = torch.zeros(1, 16, *(side // 2 for side in images.shape[-2:]))
    logits, images, alike = features[:, :1], images[:1], alike[:1]
    for refinement, sees in ((network.refinement, True), (CoilNet().eval().refinement, False)):
        assert refinement is not None
        with torch.inference_mode():
            one, other = refinement(logits, features, images), refinement(logits, features, alike)
        assert one.shape[-2:] == (images if sees else logits).shape[-2:]
        assert (not torch.allclose(one, other, atol=1e-5)) == sees


def test_no_refinement_has_no_resolution() -> None:
    with pytest.raises(NetworkError, match="full_refinement: expected a refinement, got refinement = False"):
        build("coilnet-s", full_refinement=True)


def test_sides_go_from_fine_to_deep(network: CoilNet) -> None:
    strides: list[int] = []
    for side in network.sides:
        side.register_forward_hook(lambda *call: strides.append(64 // call[-1].shape[-2]))
    with torch.inference_mode():
        outputs = network(shown())
    assert strides == [32, 16, 8, 4, 2]
    assert len(outputs.sides) == 5
    # Bilinear enlarging by 2n is linear between the n columns around the middle of a deep pixel's neighbours.
    steps = outputs.sides[-1][..., 16:48].diff(dim=-1)
    torch.testing.assert_close(steps, steps[..., :1].expand_as(steps), atol=1e-4, rtol=1e-3)


def test_the_small_one_is_the_same_without_refinement_and_with_fewer_channels() -> None:
    with torch.device("meta"):
        large, small = build("coilnet-m"), build("coilnet-s")
        plain = build("coilnet-m", refinement=False)
        assert len(small.eval()(torch.empty(1, 3, 64, 64)).sides) == 4
    assert parameters_of(small) < parameters_of(plain) < parameters_of(large)
    assert {name for name, _ in small.named_parameters()} == {name for name, _ in plain.named_parameters()}


@pytest.mark.parametrize("name", ["coilnet-m", "coilnet-s"])
def test_its_recipe_weighs_every_supervised_map(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml")
    with torch.device("meta"):
        maps = build(recipe.network, **recipe.structure_knobs).eval()(torch.empty(1, 3, 64, 64)).maps
    for loss in recipe.loss:
        assert loss.map_weights is not None
        assert len(loss.map_weights) == len(maps)
