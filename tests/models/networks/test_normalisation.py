import torch

from models.networks.normalisation import MEAN, STANDARD_DEVIATION, network_input


def test_grey_is_repeated_and_normalised_by_constants() -> None:
    pixels = torch.tensor([[[0, 255], [51, 102]]], dtype=torch.uint8)
    image = network_input(pixels)
    assert image.shape == (1, 3, 2, 2)
    expected = (torch.tensor([[0.0, 1.0], [0.2, 0.4]]) - MEAN) / STANDARD_DEVIATION
    for channel in range(3):
        torch.testing.assert_close(image[0, channel], expected)


def test_a_tile_is_never_stretched_to_its_own_range() -> None:
    flat, textured = torch.full((1, 4, 4), 100), torch.full((1, 4, 4), 100)
    textured[0, 0, 0] = 255
    assert torch.equal(network_input(flat)[..., 1:, :], network_input(textured)[..., 1:, :])
