import torch
from torch.nn import functional
from torchvision.models.resnet import BasicBlock

from models.networks.cbam import CbamBlock, ChannelGate, SpatialGate


def maps(channels: int = 32) -> torch.Tensor:
    return torch.randn(2, channels, 6, 9, generator=torch.Generator().manual_seed(1))


def test_the_channel_gate_sums_what_one_perceptron_says_of_mean_and_maximum() -> None:
    gate = ChannelGate(32)
    first, _, second = gate.perceptron
    assert first.weight.shape == (2, 32)

    def votes(vector: torch.Tensor) -> torch.Tensor:
        hidden = (vector @ first.weight.T + first.bias).clamp(min=0)
        return hidden @ second.weight.T + second.bias

    flat = maps().flatten(2)
    weights = 1 / (1 + torch.exp(-votes(flat.mean(2)) - votes(flat.max(2).values)))
    torch.testing.assert_close(gate(maps()), maps() * weights[..., None, None])


def test_the_spatial_gate_convolves_maximum_then_mean() -> None:
    gate = SpatialGate().eval()
    gate.norm.weight.data.fill_(1.7)
    gate.norm.bias.data.fill_(-0.2)
    maximum, mean = maps().max(1, keepdim=True).values, maps().mean(1, keepdim=True)
    kernel = gate.conv.weight
    score = functional.conv2d(maximum, kernel[:, :1], padding=3) + functional.conv2d(
        mean, kernel[:, 1:], padding=3
    )
    score = score / (1 + gate.norm.eps) ** 0.5 * 1.7 - 0.2
    torch.testing.assert_close(gate(maps()), maps() * score.sigmoid())


def test_every_place_starts_with_one_half() -> None:
    torch.testing.assert_close(SpatialGate()(maps()), maps() / 2)


def test_open_gates_leave_the_residual_block_as_it_is() -> None:
    block, plain = CbamBlock(32, 32).eval(), BasicBlock(32, 32).eval()
    plain.load_state_dict(block.state_dict(), strict=False)
    block.cbam[0].perceptron[2].bias.data.fill_(100)
    block.cbam[1].norm.bias.data.fill_(100)
    torch.testing.assert_close(block(maps()), plain(maps()))
    block.cbam[1].norm.bias.data.fill_(-100)
    torch.testing.assert_close(block(maps()), maps().relu())


def test_few_channels_keep_one_hidden_unit() -> None:
    assert ChannelGate(8).perceptron[0].out_features == 1
