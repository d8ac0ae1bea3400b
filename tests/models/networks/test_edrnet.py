import pytest
import torch

from models.errors import NetworkError
from models.networks.build import build
from models.networks.cost import parameters_of
from models.networks.edrnet import EDRNet

NARROW = 0.125


def test_parts_have_the_published_sizes() -> None:
    with torch.device("meta"):
        network, plain = EDRNet(), EDRNet(cbam=False)
    assert parameters_of(plain.encoder) == 21_277_056
    assert parameters_of(network.encoder) - parameters_of(plain.encoder) == 162_796
    assert parameters_of(network.bridge) == 7_082_496
    assert parameters_of(network.decoder.weighted) == 1_058_821
    assert parameters_of(network.decoder.residual) == 9_444_298
    assert parameters_of(network.decoder.sides) == 9_798
    assert parameters_of(network.refinement) == 272_832


def test_the_refined_map_is_final_and_six_follow() -> None:
    network = EDRNet(NARROW).eval()
    images = torch.randn(1, 3, 32, 64)
    with torch.inference_mode():
        outputs = network(images)
        skips = network.encoder(images)
        sides = network.decoder(network.bridge(skips[4]), skips)
        torch.testing.assert_close(outputs.final, network.refinement(sides[0]))
    assert len(outputs.sides) == 6
    for found, expected in zip(outputs.sides, sides, strict=True):
        torch.testing.assert_close(found, expected)


def test_backbone_starts_kaiming_normal_and_the_stem_as_pytorch_does() -> None:
    torch.manual_seed(2)
    encoder = EDRNet(0.5).encoder
    residual = encoder.layers[3][1].conv2.weight
    assert float(residual.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert float(encoder.stem[0].weight.detach().abs().max()) <= (1 / 27) ** 0.5
    assert not encoder.layers[0][0].cbam[1].norm.weight.any()


@pytest.mark.parametrize("knobs", [{"width": 0.5, "cbam": False}, {"cbam": True}], ids=["width", "cbam"])
def test_imagenet_weights_fit_only_the_plain_resnet(knobs: dict[str, object]) -> None:
    with pytest.raises(NetworkError, match="fit only width 1"):
        build("edrnet", pretrained=True, **knobs)  # type: ignore[arg-type]
