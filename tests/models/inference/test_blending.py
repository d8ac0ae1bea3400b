import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.inference.backend import TILE_SIZE
from models.inference.blending import OVERLAP_PX, blend_maps, cut_tiles, tile_starts


@given(length=st.integers(TILE_SIZE, 5_000))
def test_tiles_cover_a_side_overlap_and_stay_inside(length: int) -> None:
    starts = tile_starts(length)
    assert starts[0] == 0
    assert starts[-1] == length - TILE_SIZE
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= TILE_SIZE - OVERLAP_PX).all()


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 600), width=st.integers(1, 600), seed=st.integers(0, 99))
def test_tiles_that_agree_blend_into_the_image_itself(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    tiles, places = cut_tiles(image)
    assert all(tile.shape == (TILE_SIZE, TILE_SIZE) for tile in tiles)
    assert np.array_equal(blend_maps(tiles, places, image.shape), image)


@pytest.mark.parametrize("shape", [(256, 448), (448, 256)])
def test_the_seam_fades_from_one_tile_to_the_next(shape: tuple[int, int]) -> None:
    _, places = cut_tiles(np.zeros(shape, dtype=np.uint8))
    dark, light = np.zeros((TILE_SIZE, TILE_SIZE), np.uint8), np.full((TILE_SIZE, TILE_SIZE), 200, np.uint8)
    assert len(places) == 2
    blended = blend_maps([dark, light], places, shape)
    profile = blended[128] if shape[1] > shape[0] else blended[:, 128]
    assert (np.diff(profile.astype(int)) >= 0).all()
    assert np.diff(profile.astype(int)).max() <= 10
    assert (profile[0], profile[-1]) == (0, 200)
