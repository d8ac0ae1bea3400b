from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import EvaluationError, ImageFileError
from models.evaluation import check_pairs, find_pairs, load_pair
from tests.models.evaluation.sets import mask_and_map, write, write_set


def test_files_pair_by_stem_in_natural_order(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, names=("a-10", "a-2", "b"))
    write(masks / "b.bmp", mask_and_map(0)[0])
    (masks / "b.png").unlink()
    pairs = find_pairs(maps, masks)
    assert [pair.name for pair in pairs] == ["a-2", "a-10", "b"]
    assert [pair.mask.name for pair in pairs] == ["a-2.png", "a-10.png", "b.bmp"]
    mask, prediction = mask_and_map(1)
    loaded = load_pair(pairs[0])
    np.testing.assert_array_equal(loaded[0], prediction)
    np.testing.assert_array_equal(loaded[1], mask)


def test_names_that_do_not_pair_are_named(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, names=("good",))
    for at in range(7):
        write(maps / f"m{at}.png", mask_and_map(at)[1])
    write(masks / "alone.png", mask_and_map(0)[0])
    with pytest.raises(EvaluationError) as caught:
        find_pairs(maps, masks)
    assert str(caught.value) == (
        "maps and masks pair by name without suffix: "
        f"7 maps in {maps} without a mask: m0.png, m1.png, m2.png, m3.png, m4.png and 2 more; "
        f"1 masks in {masks} without a map: alone.png"
    )


def test_two_files_of_one_stem_are_named(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, names=("a",))
    write(maps / "a.bmp", mask_and_map(0)[1])
    with pytest.raises(EvaluationError, match=r"maps in .* of one name: a\.bmp, a\.png$"):
        find_pairs(maps, masks)


def test_a_folder_is_not_both(tmp_path: Path) -> None:
    maps, _ = write_set(tmp_path)
    with pytest.raises(EvaluationError, match="expected a folder of maps and one of masks"):
        find_pairs(maps, maps / ".." / "maps")


def test_empty_and_missing_folders(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(EvaluationError, match=rf"no masks in {empty}: expected \.png"):
        find_pairs(maps, empty)
    with pytest.raises(EvaluationError, match=rf"no maps in {empty}: expected \.png"):
        find_pairs(empty, masks)
    with pytest.raises(ImageFileError, match=rf"got {tmp_path}/none: No such file"):
        find_pairs(tmp_path / "none", masks)
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(ImageFileError, match=rf"got {circle}: Too many levels of symbolic links"):
        find_pairs(circle, masks)


def test_one_fault_is_said_as_it_is(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path)
    write(masks / "strip-1.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(EvaluationError) as caught:
        check_pairs(find_pairs(maps, masks))
    assert str(caught.value) == (f"{maps / 'strip-1.png'}: expected the size of its mask, 4 x 5, got 40 x 48")


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=8)
    write(maps / "strip-0.png", np.zeros((40, 48, 3), np.uint8))
    write(masks / "strip-1.png", np.zeros((40, 48), np.uint16))
    for at in range(2, 7):
        (maps / f"strip-{at}.png").write_bytes(b"damaged")
    seen: list[int] = []
    with pytest.raises(EvaluationError) as caught:
        check_pairs(find_pairs(maps, masks), lambda: seen.append(1))
    says = str(caught.value)
    assert says.startswith("7 of 8 pairs cannot be compared: ")
    assert f"{maps / 'strip-0.png'}: expected 8-bit grey, got colour; " in says
    assert f"{masks / 'strip-1.png'}: expected 8-bit grey, got 16-bit grey; " in says
    assert "strip-5.png" not in says
    assert says.endswith(" and 2 more")
    assert len(seen) == 8


@pytest.mark.parametrize("highest", [1, 4, 128])
def test_masks_that_mark_nothing_that_counts_are_refused(tmp_path: Path, highest: int) -> None:
    maps, masks = write_set(tmp_path, count=2)
    for at, level in enumerate((0, highest)):
        write(masks / f"strip-{at}.png", np.minimum(mask_and_map(at)[0], level).astype(np.uint8))
    with pytest.raises(EvaluationError) as caught:
        check_pairs(find_pairs(maps, masks))
    assert str(caught.value) == f"{masks}: expected masks marked above 128, got a highest value of {highest}"


def test_masks_may_all_be_black(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=2)
    for at in range(2):
        write(masks / f"strip-{at}.png", np.zeros((40, 48), np.uint8))
    check_pairs(find_pairs(maps, masks))
