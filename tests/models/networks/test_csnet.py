import pytest
import torch

from models.networks.csnet import CSNet


@pytest.mark.parametrize(
    ("width", "parameters"),
    [(1.0, 210_985), (1.2, 298_633), (1.5, 455_631), (1.8, 645_565), (2.0, 788_631)],
)
def test_sizes_are_the_published_ones(width: float, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in CSNet(width).parameters()) == parameters


def test_parts_have_the_published_sizes() -> None:
    network = CSNet()
    stages = [sum(parameter.numel() for parameter in stage.parameters()) for stage in network.stages]
    assert stages == [1_080, 2_820, 16_320, 73_760, 85_440]
    assert sum(parameter.numel() for parameter in network.head.fuse.parameters()) == 31_499
    assert sum(parameter.numel() for parameter in network.head.classify.parameters()) == 66


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 48, 80)])
def test_the_map_has_the_size_of_the_image(shape: tuple[int, int, int, int]) -> None:
    logits = CSNet()(torch.rand(shape))
    assert logits.shape == (shape[0], 1, shape[2], shape[3])
    assert torch.isfinite(logits).all()


def test_gradients_reach_every_weight_in_bfloat16() -> None:
    torch.manual_seed(5)
    network = CSNet()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.rand(2, 3, 64, 64))
    logits.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
