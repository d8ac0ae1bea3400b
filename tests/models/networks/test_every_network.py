"""What holds for every network: its published size, any fitting image, grey folded, export, learning."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.errors import ImageShapeError, NetworkError
from models.inference.openvino_runtime import Core, convert_model
from models.losses import HybridLoss
from models.networks.build import NETWORKS, build
from models.networks.cost import cost, count_parameters
from models.networks.grey import fold_grey
from models.networks.outputs import SaliencyNetwork
from tests.models.networks.published import GIGA_MACS, PARAMETERS

NARROW = {name: 0.5 if name.startswith(("coil", "csnet", "scfnet")) else 0.125 for name in NETWORKS}
FAMILIES = (
    "edrnet",
    "cat-ednet-n5l2",
    "basnet",
    "u2net",
    "u2netp",
    "pfanet",
    "scfnet",
    "scfnet-resnet50",
    "scfnet-lite0",
    "csnet-x1",
    "coilnet-m",
    "coilgate",
    "csnet-l-x2",
)
"""One of each structure: the others differ from one of these in a number only."""

SIZE_PX = 64
SHIPPED = ("coilnet-m", "coilgate")
"""Ours, whose exports are tried with every run."""
EXPORTED = tuple(
    name if name in SHIPPED else pytest.param(name, marks=pytest.mark.slow)
    for name in FAMILIES
    if name not in {"u2net", "csnet-x1"}
)
"""Those two are the code of u2netp and of csnet-l-x2, whose pruned branches say more; each export is slow."""

OUTLINING = tuple(name for name in FAMILIES if name != "coilgate")
"""The gate has one logit for 8 x 8 pixels, and a tile here has 8 x 8 of those."""

LEARNING_STEPS = 100
"""A bound, not a wish: most are there after a third of it."""
LEARNING_RATE = 1e-2
LEARNED_IOU = 0.9
TOLERANCE = 1e-3
"""Of the largest logit, and relative: convolutions sum in another order elsewhere."""
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
"""Where the processor has bfloat16, OpenVINO would use it unasked."""


def narrow(name: str, **knobs: object) -> SaliencyNetwork:
    torch.manual_seed(3)
    return build(name, width=NARROW[name], **knobs)  # type: ignore[arg-type]


def settled(name: str) -> SaliencyNetwork:
    """In inference mode, normalised by a batch's statistics: without any, CSNet's values overflow."""
    network = narrow(name).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network(images(count=4))
    return network.eval()


def assert_agree(found: Tensor, expected: Tensor) -> None:
    largest = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, atol=TOLERANCE * largest, rtol=TOLERANCE)


def images(size: tuple[int, int] = (SIZE_PX, SIZE_PX), channels: int = 3, count: int = 1) -> Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters_are_the_published_ones(name: str, parameters: int) -> None:
    assert count_parameters(name) == parameters


@pytest.mark.parametrize(("name", "size"), GIGA_MACS)
def test_multiply_accumulates_are_the_published_ones(name: str, size: int) -> None:
    assert cost(name, size).macs == pytest.approx(GIGA_MACS[name, size] * 1e9, rel=0.005)


def test_every_network_of_the_registry_has_a_published_size() -> None:
    ours = {"scfnet-lite0", "coilnet-m", "coilnet-s", "coilgate"}
    assert set(NETWORKS) - ours == set(PARAMETERS)


@pytest.mark.parametrize("size", [(224, 224), (256, 256), (320, 320), (64, 160)], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_maps_have_the_size_of_the_image(name: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        outputs = settled(name)(images(size))
    for saliency in outputs.maps:
        assert saliency.shape == (1, 1, *size)
        assert torch.isfinite(saliency).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_images_that_do_not_fit_are_refused(name: str) -> None:
    network = narrow(name)
    with pytest.raises(ImageShapeError, match=rf"multiples of {network.size_multiple}, got \(1, 3, 65, 64\)"):
        network(images((65, 64)))
    with pytest.raises(ImageShapeError, match=r"expected images \(N, 3, H, W\)"):
        network(images(channels=1))


@pytest.mark.parametrize("name", FAMILIES)
def test_grey_folded_into_one_channel_gives_the_same(name: str) -> None:
    colour = settled(name)
    grey = narrow(name, in_channels=1).eval()
    grey.load_state_dict(fold_grey(colour.state_dict(), type(colour)))
    image = images(channels=1)
    with torch.inference_mode():
        expected, found = colour(image.expand(-1, 3, -1, -1)).final, grey(image).final
    assert_agree(found, expected)


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_programs_and_onnx_agree_with_eager(name: str, tmp_path: Path) -> None:
    network, image = settled(name), images()
    file = tmp_path / "network.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        # torch's own exporter calls what torch itself has deprecated.
        warnings.simplefilter("ignore")
        expected = network(image)
        program = torch.export.export(network, (image,))
        exported = program.module()(image)
        torch.onnx.export(program, f=file, verbose=False, optimize=False)
    onnx = Core().compile_model(Core().read_model(file), "CPU", EXACT)([image.numpy()])
    for ours, exports, onnxs in zip(
        expected.maps, (exported.final, *exported.sides), onnx.values(), strict=True
    ):
        assert_agree(exports, ours)
        assert_agree(torch.as_tensor(onnxs), ours)


@pytest.mark.parametrize("name", FAMILIES)
def test_openvino_agrees_with_eager(name: str) -> None:
    network, image = settled(name), images((64, 96))
    with torch.no_grad(), warnings.catch_warnings():
        # Traced, as the back end does: torch announces the end of tracing.
        warnings.simplefilter("ignore")
        expected = network(image)
        traced = torch.jit.trace(network, image, check_trace=False, strict=False)
    converted = convert_model(traced, example_input=image)
    found = Core().compile_model(converted, "CPU", EXACT)([image.numpy()])
    for ours, theirs in zip(expected.maps, found.values(), strict=True):
        assert_agree(torch.as_tensor(theirs), ours)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_reach_every_weight_in_bfloat16(name: str) -> None:
    network = narrow(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(images(count=2))
    torch.stack([saliency.float().square().mean() for saliency in outputs.maps]).sum().backward()
    for weight, parameter in network.named_parameters():
        assert parameter.grad is not None, weight
        assert torch.isfinite(parameter.grad).all(), weight


@pytest.mark.parametrize("name", OUTLINING)
def test_a_narrow_network_learns_four_tiles(name: str) -> None:
    tiles, masks = four_tiles()
    network = narrow(name).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    loss = HybridLoss(ssim=0.0)
    best = 0.0
    for step in range(LEARNING_STEPS):
        optimizer.zero_grad()
        outputs = network(tiles)
        loss(outputs, masks).backward()
        optimizer.step()
        if step % 5 == 4:
            best = max(best, overlap(outputs.final.detach(), masks))
            if best > LEARNED_IOU:
                return
    raise AssertionError(f"{name} reached an IoU of {best:.3f} in {LEARNING_STEPS} steps")


def four_tiles() -> tuple[Tensor, Tensor]:
    """Bright and dark blobs on texture, and their masks."""
    generator = torch.Generator().manual_seed(8)
    rows, columns = torch.meshgrid(torch.arange(SIZE_PX), torch.arange(SIZE_PX), indexing="ij")
    tiles, masks = [], []
    for centre_row, centre_column, height, width, sign in (
        (20, 24, 9, 14, 1),
        (40, 36, 16, 7, -1),
        (30, 16, 6, 6, 1),
        (36, 44, 12, 12, -1),
    ):
        mask = ((rows - centre_row) / height) ** 2 + ((columns - centre_column) / width) ** 2 <= 1
        texture = 0.4 * torch.randn(SIZE_PX, SIZE_PX, generator=generator)
        tiles.append((texture + sign * 1.5 * mask).expand(3, -1, -1))
        masks.append(mask.float()[None])
    return torch.stack(tiles), torch.stack(masks)


def overlap(logits: Tensor, masks: Tensor) -> float:
    found, truth = logits > 0, masks > 0.5
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wonder", {}, "no network wonder: expected one of edrnet, .*csnet-l-x2"),
        ("basnet", {"width": 0.0}, "network basnet: expected a width above 0, got 0"),
        ("basnet", {"width": float("nan")}, "network basnet: expected a width above 0, got nan"),
        ("csnet-x1", {"wheels": 4}, "network csnet-x1: .*wheels"),
        ("csnet-x1", {"in_channels": 0}, "network csnet-x1: expected 1 or 3 input channels, got 0"),
        ("csnet-l-x1", {"base_width": 40}, "expected a preset, channels, or base width and share"),
        ("scfnet", {"channels": -3}, "network scfnet: "),
        (
            "coilnet-m",
            {"channels": float("inf"), "width": 0.5},
            "network coilnet-m: cannot convert float infinity",
        ),
        ("csnet-x1", {"base_width": float("inf")}, "network csnet-x1: cannot convert float infinity"),
        ("csnet-x1", {"fine_share": float("inf")}, "network csnet-x1: cannot convert float infinity"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        build(name, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["edrnet-no-cbam", "basnet", "pfanet", "scfnet-resnet50"])
def test_imagenet_weights_that_cannot_be_had_are_one_clear_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(network: str, **_: object) -> None:
        raise OSError(f"no route to the hub for {network}")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(NetworkError, match="timm could not download them"):
        build(name, pretrained=True)


def test_every_dtype_runs() -> None:
    network = settled("csnet-x1").double()
    with torch.inference_mode():
        assert network(images().double()).final.dtype == torch.float64
