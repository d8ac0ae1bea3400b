import pytest
import torch

from models.errors import NetworkError
from models.networks.build import build
from models.networks.cat_ednet import CATEDNet
from models.networks.cost import parameters_of
from models.networks.edrnet import EDRNet

NARROW = 0.125
BYTES_PER_MB = 1e6


def test_parts_have_the_sizes_that_the_paper_gives() -> None:
    with torch.device("meta"):
        network = CATEDNet()
    assert parameters_of(network.encoder) == 21_277_056
    assert parameters_of(network.bridge) == 7_082_496
    assert parameters_of(network.decoder.weighted) == 1_058_821
    assert parameters_of(network.decoder.residual) == 9_444_298
    assert parameters_of(network.decoder.sides) == 9_798
    assert parameters_of(network.refinement) == 306_112
    assert network.transformer is not None
    assert parameters_of(network.transformer) == 85_940_224


def test_parts_of_the_transformer_have_the_sizes_of_its_description() -> None:
    with torch.device("meta"):
        transformer = CATEDNet().transformer
    assert transformer is not None
    positions = sum(embed.position.numel() for embed in transformer.embed)
    assert positions == 50_176
    assert parameters_of(transformer.embed) - positions == 8_389_632
    layer = transformer.layers[0]
    assert len(transformer.layers) == 5
    assert parameters_of(layer) == 15_428_608
    assert parameters_of(layer.attention.queries) == 1_761_280
    assert parameters_of(layer.attention.keys) == parameters_of(layer.attention.values) == 5_242_880
    assert parameters_of(layer.attention.projections) == 352_256
    assert parameters_of(layer.mlps) == 2_823_168
    norms = parameters_of(layer.query_norms) + parameters_of(layer.all_norm) + parameters_of(layer.mlp_norms)
    assert norms == 6_144
    assert parameters_of(transformer.norms) == 2_048
    assert parameters_of(transformer.reconstruct) == 355_328


@pytest.mark.parametrize(
    ("heads", "layers", "megabytes"),
    [
        (5, 5, 500.95),
        (5, 2, 315.73),
        (4, 4, 400.01),
        (1, 5, 304.95),
        (2, 4, 321.61),
        (3, 3, 318.67),
        (5, 1, 253.98),
    ],
)
def test_heads_and_layers_give_the_measured_file_sizes(heads: int, layers: int, megabytes: float) -> None:
    with torch.device("meta"):
        state = CATEDNet(heads=heads, layers=layers).state_dict()
    stored = sum(value.nbytes for value in state.values()) / BYTES_PER_MB
    # A file holds names and headers too.
    assert stored == pytest.approx(megabytes, rel=0.001)


def test_without_its_own_parts_it_is_edrnet_without_cbam() -> None:
    torch.manual_seed(1)
    edrnet = EDRNet(NARROW, cbam=False).eval()
    network = CATEDNet(NARROW, attention=False, refinement="rrs").eval()
    network.load_state_dict(edrnet.state_dict())
    images = torch.randn(1, 3, 32, 64)
    with torch.inference_mode():
        for found, expected in zip(network(images).maps, edrnet(images).maps, strict=True):
            assert torch.equal(found, expected)


def test_the_decoder_gets_the_attended_skips_and_the_bridge_the_plain_one() -> None:
    network = CATEDNet(NARROW, heads=1, layers=1).eval()
    images = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        outputs = network(images)
        encoded = network.encoder(images)
        assert network.transformer is not None
        sides = network.decoder(network.bridge(encoded[4]), network.transformer(encoded))
        torch.testing.assert_close(outputs.final, network.refinement(sides[0]))
    assert len(outputs.maps) == 7
    for found, expected in zip(outputs.sides, sides, strict=True):
        torch.testing.assert_close(found, expected)


def test_without_refinement_the_finest_side_map_is_final() -> None:
    torch.manual_seed(1)
    refined = CATEDNet(NARROW, heads=1, layers=1).eval()
    network = CATEDNet(NARROW, heads=1, layers=1, refinement="none").eval()
    network.load_state_dict(refined.state_dict(), strict=False)
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        for found, expected in zip(network(images).maps, refined(images).sides, strict=True):
            torch.testing.assert_close(found, expected)


def test_positions_can_be_left_out() -> None:
    with torch.device("meta"):
        assert parameters_of(CATEDNet()) - parameters_of(CATEDNet(position_embedding=False)) == 50_176


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"refinement": "rrm"}, "no refinement rrm, expected one of carm, rrs, none"),
        ({"heads": 0}, "at least 1 head and 1 layer, got 0 and 5"),
        ({"layers": 0}, "at least 1 head and 1 layer, got 5 and 0"),
        ({"width": 0.5, "pretrained": True}, "fit only width 1"),
        ({"cbam": True}, "cat-ednet: .*cbam"),
    ],
    ids=["refinement", "heads", "layers", "pretrained", "cbam"],
)
def test_knobs_that_there_are_not_are_refused(knobs: dict[str, object], message: str) -> None:
    with torch.device("meta"), pytest.raises(NetworkError, match=message):
        build("cat-ednet", **knobs)  # type: ignore[arg-type]
