from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tiling import Tiling, blend, cut

SIZE, OVERLAP = 32, 8


def picture(height: int, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width), dtype=np.uint8)


def constant_maps(tiling: Tiling, value: int) -> list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    return [np.full((tiling.size, tiling.size), value, np.uint8) for _ in tiling.tiles]


sides = st.integers(1, 3 * SIZE)


@settings(max_examples=80)
@given(height=sides, width=sides, overlap=st.integers(0, SIZE - 1))
def test_tiles_cover_the_frame_and_show_its_pixels(height: int, width: int, overlap: int) -> None:
    pixels = picture(height, width)

    tiling = cut(pixels, SIZE, overlap)

    covered = np.zeros((max(height, SIZE), max(width, SIZE)), bool)
    for tile, (row, column) in zip(tiling.tiles, tiling.places, strict=True):
        window = np.s_[row : row + SIZE, column : column + SIZE]
        covered[window] = True
        shown = pixels[window]
        assert tile.shape == (SIZE, SIZE)
        assert tile.flags.c_contiguous
        np.testing.assert_array_equal(tile[: shown.shape[0], : shown.shape[1]], shown)
    assert covered.all()
    assert covered.shape == (max(height, SIZE), max(width, SIZE)), "no tile leaves the frame"


@settings(max_examples=80)
@given(length=st.integers(SIZE, 20 * SIZE), overlap=st.integers(0, SIZE - 1))
def test_neighbouring_tiles_overlap_enough_and_none_is_needless(length: int, overlap: int) -> None:
    places = cut(np.zeros((SIZE, length), np.uint8), SIZE, overlap).places
    starts = [column for _, column in places]

    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == length - SIZE
    assert (steps <= SIZE - overlap).all()
    assert len(starts) < 3 or (length - SIZE) / (len(starts) - 2) > SIZE - overlap
    assert np.ptp(steps) <= 1 if len(steps) else True


@settings(max_examples=60)
@given(height=sides, width=sides, value=st.integers(0, 255), overlap=st.integers(0, SIZE - 1))
def test_constant_maps_blend_to_a_constant(height: int, width: int, value: int, overlap: int) -> None:
    tiling = cut(picture(height, width), SIZE, overlap)

    blended = blend(tiling, constant_maps(tiling, value))

    assert blended.shape == (height, width)
    assert blended.dtype == np.uint8
    assert (blended == value).all()


@pytest.mark.parametrize("shape", [(480, 480), (256, 1600), (5, 900), (100, 3)])
def test_the_tiles_themselves_blend_to_the_frame(shape: tuple[int, int]) -> None:
    pixels = picture(*shape)
    tiling = cut(pixels, 256, 32)

    np.testing.assert_array_equal(blend(tiling, list(tiling.tiles)), pixels)


def test_one_map_gives_way_to_the_next_over_the_overlap() -> None:
    tiling = cut(np.zeros((SIZE, 2 * SIZE - OVERLAP), np.uint8), SIZE, OVERLAP)
    dark, bright = constant_maps(tiling, 0)[0], constant_maps(tiling, 255)[0]

    middle = blend(tiling, [dark, bright])[SIZE // 2].astype(int)

    assert (middle[: SIZE - OVERLAP] == 0).all()
    assert (middle[SIZE:] == 255).all()
    ramp = middle[SIZE - OVERLAP : SIZE]
    np.testing.assert_array_equal(ramp, np.rint(255 * np.arange(1, OVERLAP + 1) / (OVERLAP + 1)))


def test_a_frame_smaller_than_a_tile_is_mirrored() -> None:
    pixels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)

    (tile,) = cut(pixels, 8, 2).tiles

    assert tile[0].tolist() == [1, 2, 3, 3, 2, 1, 1, 2]
    assert tile[:, 0].tolist() == [1, 4, 4, 1, 1, 4, 4, 1]


def test_the_gap_beside_the_strip_stays_as_it_is() -> None:
    pixels = picture(SIZE, 3 * SIZE)

    plain, limited = cut(pixels, SIZE, 0), cut(pixels, SIZE, 0, columns=(2, 3 * SIZE - 2))

    assert np.array_equal(plain.tiles, limited.tiles)


def test_tiles_without_strip_are_left_out() -> None:
    tiling = cut(picture(SIZE, 10 * SIZE), SIZE, 0, columns=(5 * SIZE, 6 * SIZE))

    blended = blend(tiling, constant_maps(tiling, 200))

    assert tiling.places == ((0, 5 * SIZE),)
    assert (blended[:, 5 * SIZE : 6 * SIZE] == 200).all()
    assert np.count_nonzero(blended) == SIZE * SIZE
