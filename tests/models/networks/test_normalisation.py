import torch

from models.networks.normalisation import MEAN, STANDARD_DEVIATION, at_own_contrast, network_input


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


def test_at_its_own_contrast_an_image_has_mean_0_and_deviation_1_but_grain_grows_no_further() -> None:
    wave = torch.arange(64).remainder(2).view(1, 8, 8) * 2.0 - 1
    for deviation, expected in ((8, 1.0), (60, 1.0), (2, 0.25), (0, 0.0)):
        found = at_own_contrast(network_input(100 + deviation * wave))
        torch.testing.assert_close(found, (expected * wave).expand(1, 3, 8, 8), atol=1e-4, rtol=0)
