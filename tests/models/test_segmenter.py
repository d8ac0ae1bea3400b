import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import BackendError, TileError, WeightsError
from models.inference.compiled_graph import has_native_bfloat16
from models.segmenter import BackendChoice, PrecisionChoice, Segmenter
from models.weights import locate, save_weights
from models.weights.files import read_weights
from tests.models.samples import patch_sample

PRECISIONS = [
    "fp32",
    pytest.param("bf16", marks=pytest.mark.skipif(not has_native_bfloat16(), reason="no bfloat16")),
]

MAX_MEAN_GREY_LEVELS = 1.0
MAX_GREY_LEVELS = 30
MAX_SHARE = 0.01
"""Between precisions: grey levels of 255 on average, and of all but this share of the pixels. Sharp maps turn
from dark to light where the network is undecided, and there bfloat16 decides for itself."""


def steel_tiles(count: int) -> list[NDArray[np.uint8]]:
    return [patch_sample(str(seed), seed, side=256).image for seed in range(count)]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.open(device="cpu")


@cache
def reference(model: str) -> list[NDArray[np.uint8]]:
    return Segmenter.open(model, backend="torch", device="cpu", precision="fp32").segment(steel_tiles(3))


def test_maps_have_the_shape_and_type_of_tiles(segmenter: Segmenter) -> None:
    maps = segmenter.segment(steel_tiles(3))
    assert [saliency.shape for saliency in maps] == [(256, 256)] * 3
    assert all(saliency.dtype == np.uint8 for saliency in maps)
    assert segmenter.segment([]) == []


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", ["openvino", "torch"])
@pytest.mark.parametrize("model", ["coilnet-m", "csnet-x1"])
def test_back_ends_agree(model: str, backend: BackendChoice, precision: PrecisionChoice) -> None:
    maps = Segmenter.open(model, backend=backend, device="cpu", precision=precision).segment(steel_tiles(3))
    for saliency, expected in zip(maps, reference(model), strict=True):
        difference = np.abs(saliency.astype(int) - expected.astype(int))
        assert difference.mean() <= MAX_MEAN_GREY_LEVELS
        if precision == "fp32":
            assert difference.max() <= 1
        else:
            assert np.mean(difference > MAX_GREY_LEVELS) <= (MAX_SHARE if model == "coilnet-m" else 0)


def test_a_dark_spot_on_rolled_grain_shows_and_even_steel_stays_dark(segmenter: Segmenter) -> None:
    grain = np.random.default_rng(3).normal(0, 12, (256, 256))
    spot = np.zeros((256, 256), dtype=np.uint8)
    cv2.circle(spot, (120, 140), 14, 255, -1)
    strip = 140 + cv2.GaussianBlur(grain, (0, 0), sigmaX=0.8, sigmaY=6)
    steel = np.clip(strip - 60 * cv2.GaussianBlur(spot / 255, (0, 0), 2), 0, 255).astype(np.uint8)
    saliency = segmenter.segment([steel])[0]
    assert saliency[spot > 0].mean() > 200
    assert saliency[spot == 0].mean() < 20
    assert segmenter.segment([np.full((256, 256), 140, dtype=np.uint8)])[0].max() < 64


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_a_map_does_not_depend_on_its_neighbours(backend: BackendChoice, precision: PrecisionChoice) -> None:
    segmenter = Segmenter.open(backend=backend, device="cpu", precision=precision)
    tiles = steel_tiles(4)
    alone = [segmenter.segment([tile])[0] for tile in tiles]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        together = segmenter.segment([tiles[index] for index in order])
        assert all(
            np.array_equal(saliency, alone[index]) for saliency, index in zip(together, order, strict=True)
        )


@pytest.mark.parametrize(("sharpness", "peak", "unsharpened"), [(2.0, 254, 236), (3.0, 255, 226)])
def test_sharper_weights_say_the_same_and_surer(
    tmp_path: Path, sharpness: float, peak: int, unsharpened: int
) -> None:
    weights, info = read_weights(locate("coilnet-m"))

    def opened(sharpness: float) -> Segmenter:
        path = tmp_path / f"{sharpness}.safetensors"
        save_weights(path, weights, info.model_copy(update={"sharpness": sharpness}))
        return Segmenter.open(path, backend="torch", device="cpu", precision="fp32")

    plain, sharp = opened(1.0), opened(sharpness)
    faint, sure = (np.stack(segmenter.segment(steel_tiles(3))) for segmenter in (plain, sharp))
    assert np.array_equal(faint >= 128, sure >= 128)
    # Rounding moves the peak a little: no pixel loses it, and a few win it.
    assert np.all(sure[faint >= plain.peak] >= sharp.peak)
    assert np.all(faint[sure >= sharp.peak] >= unsharpened)
    assert ((sure > 16) & (sure < 240)).sum() < 0.7 * ((faint > 16) & (faint < 240)).sum()
    assert (plain.peak, sharp.peak) == (240, peak)
    assert plain.digest != sharp.digest


def test_threads_get_the_same_maps(segmenter: Segmenter) -> None:
    tiles = steel_tiles(6)
    expected = segmenter.segment(tiles)
    with ThreadPoolExecutor(3) as pool:
        found = [maps[0] for maps in pool.map(lambda tile: segmenter.segment([tile]), tiles * 2)]
    assert all(np.array_equal(one, other) for one, other in zip(found, expected * 2, strict=True))


ELSEWHERE = """
import hashlib
from models.segmenter import BackendChoice, PrecisionChoice, Segmenter
from tests.models.test_segmenter import steel_tiles
segmenter = Segmenter.open(device="cpu")
maps = segmenter.segment(steel_tiles(4))
print(segmenter.digest, hashlib.blake2b(b"".join(m.tobytes() for m in maps)).hexdigest())
"""


def test_two_other_processes_at_once_get_the_same_maps(segmenter: Segmenter) -> None:
    root = Path(__file__).parents[2]
    others = [
        subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        maps = [maps[0] for maps in pool.map(lambda tile: segmenter.segment([tile]), steel_tiles(4))]
    digest = hashlib.blake2b(b"".join(saliency.tobytes() for saliency in maps)).hexdigest()
    for other in others:
        output, _ = other.communicate(timeout=100)
        assert output.split() == [segmenter.digest, digest]


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (np.zeros((200, 200), np.uint8), r"expected a tile \(256, 256\) uint8, got \(200, 200\) uint8"),
        (np.zeros((256, 256), np.float32), "float32"),
        (np.zeros((256, 256, 3), np.uint8), r"\(256, 256, 3\)"),
    ],
    ids=["small", "float", "colour"],
)
def test_what_is_no_tile_is_refused(segmenter: Segmenter, tile: NDArray[Any], message: str) -> None:
    with pytest.raises(TileError, match=message):
        segmenter.segment([tile])


@pytest.mark.parametrize("shape", [(1, 1), (200, 200), (256, 256), (128, 700), (300, 260)])
def test_the_map_of_an_image_has_its_size(segmenter: Segmenter, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(100, 150, shape, dtype=np.uint8)
    saliency = segmenter.segment_image(image)
    assert saliency.shape == shape
    assert saliency.dtype == np.uint8


def test_an_image_of_a_tile_is_a_tile(segmenter: Segmenter) -> None:
    (tile,) = steel_tiles(1)
    assert np.array_equal(segmenter.segment_image(tile), segmenter.segment([tile])[0])


@pytest.mark.parametrize(
    "image", [np.zeros((0, 5), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4))]
)
def test_what_is_no_grey_image_is_refused(segmenter: Segmenter, image: NDArray[Any]) -> None:
    with pytest.raises(TileError, match="expected an image"):
        segmenter.segment_image(image)


def test_the_digest_tells_what_can_change_a_map() -> None:
    opened = [
        Segmenter.open(backend="openvino", device="cpu", precision="fp32"),
        Segmenter.open(backend="torch", device="cpu", precision="fp32"),
        Segmenter.open(backend="torch", device="cpu", precision="bf16"),
    ]
    assert len({segmenter.digest for segmenter in opened}) == 3
    assert all(len(segmenter.digest) == 32 for segmenter in opened)
    again = Segmenter.open(backend="torch", device="cpu", precision="fp32", threads=2)
    assert again.digest == opened[1].digest
    assert (again.name, again.tile_size) == ("coilnet-m", 256)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "quantum"}, "no device quantum"),
        ({"device": "mps", "backend": "torch"}, "expected cpu, cuda"),
        ({"device": "cuda", "backend": "openvino"}, "not on cuda"),
        ({"threads": 0}, "at least 1"),
    ],
    ids=["unknown", "mps", "openvino on cuda", "no threads"],
)
def test_what_this_machine_does_not_have_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        Segmenter.open(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendError, match="0 CUDA devices"):
        Segmenter.open(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_padded_batch_on_cuda_gives_each_tile_the_same_map() -> None:
    segmenter = Segmenter.open(device="cuda")
    tiles = steel_tiles(19)
    alone = [segmenter.segment([tile])[0] for tile in tiles]
    assert all(np.array_equal(one, other) for one, other in zip(segmenter.segment(tiles), alone, strict=True))


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(WeightsError, match="wonder"):
        Segmenter.open("wonder")
