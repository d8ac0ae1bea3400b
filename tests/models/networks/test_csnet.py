import pytest
import torch

from models.networks.csnet import CSNet


def test_parts_have_the_published_sizes() -> None:
    network = CSNet()
    stages = [sum(parameter.numel() for parameter in stage.parameters()) for stage in network.stages]
    assert stages == [1_080, 2_820, 16_320, 73_760, 85_440]
    assert sum(parameter.numel() for parameter in network.head.fuse.parameters()) == 31_499
    assert sum(parameter.numel() for parameter in network.head.classify.parameters()) == 66


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 48, 80)])
def test_the_map_has_the_size_of_the_image(shape: tuple[int, int, int, int]) -> None:
    logits = CSNet()(torch.rand(shape)).final
    assert logits.shape == (shape[0], 1, shape[2], shape[3])
    assert torch.isfinite(logits).all()


def test_gradients_reach_every_weight_in_bfloat16() -> None:
    torch.manual_seed(5)
    network = CSNet()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.rand(2, 3, 64, 64)).final
    logits.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
