from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.classes.images import findings_of, read_labelled, split_images, with_maps
from models.classes.maps import KeptMaps
from models.classes.recipe import Label
from models.errors import DatasetError
from tests.models.classes.steel import labelled

LABELS = {
    "In": Label(defect_class="inclusion"),
    "surface-scratch": Label(defect_class="scratch"),
}


def write(path: Path, side: int = 32, level: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((side, side), level, np.uint8))


def test_labels_come_from_folders_and_from_names(tmp_path: Path) -> None:
    write(tmp_path / "steel" / "images" / "In_3.png")
    write(tmp_path / "steel" / "masks" / "In_3.png")
    write(tmp_path / "steel" / "images" / "Xy_3.png")
    write(tmp_path / "surface-scratch" / "4001.jpg")
    write(tmp_path / "surface-scratch" / "images" / "00001.png")
    write(tmp_path / "else" / "1.png")
    (tmp_path / "surface-scratch" / "._4001.jpg").write_bytes(b"of a Mac")

    images = read_labelled(tmp_path, LABELS)

    assert [(image.name, image.label, image.defect_class, len(image.masks)) for image in images] == [
        ("In_3", "In", "inclusion", 1),
        ("4001", "surface-scratch", "scratch", 0),
        ("00001", "surface-scratch", "scratch", 0),
    ]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_a_mask_is_found_by_its_stem(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "images" / "In_3.jpg")
    write(tmp_path / "masks" / f"In_3{suffix}")
    (image,) = read_labelled(tmp_path, LABELS)
    (mask,) = image.masks
    assert mask.all()


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    write(tmp_path / "images" / "In_1.png")
    write(tmp_path / "masks" / "In_1.png", side=16)
    with pytest.raises(DatasetError, match="In_1"):
        read_labelled(tmp_path, LABELS)
    with pytest.raises(
        DatasetError, match=r"expected a folder that can be read, got .*elsewhere: No such file"
    ):
        read_labelled(tmp_path / "elsewhere", LABELS)
    write(tmp_path / "other" / "Xy_1.png")
    with pytest.raises(
        DatasetError, match=r"no labelled images in .*other: expected any of In, surface-scratch"
    ):
        read_labelled(tmp_path / "other", LABELS)


def test_two_images_do_not_take_one_mask(tmp_path: Path) -> None:
    for suffix in (".png", ".bmp"):
        write(tmp_path / "images" / f"In_1{suffix}")
        write(tmp_path / "surface-scratch" / f"1{suffix}")
    assert len(read_labelled(tmp_path, LABELS)) == 4
    write(tmp_path / "masks" / "In_1.png")
    with pytest.raises(DatasetError, match=r"expected one image of a name, got 2 of that of .*In_1\.bmp"):
        read_labelled(tmp_path, LABELS)


def test_masks_that_cannot_be_listed_are_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "images" / "In_1.png")
    (tmp_path / "masks").write_text("no folder")
    with pytest.raises(
        DatasetError, match=r"expected a folder that can be read, got .*masks: Not a directory"
    ):
        read_labelled(tmp_path, LABELS)


def test_masks_of_class_numbers_are_refused(tmp_path: Path) -> None:
    for number, level in enumerate((0, 1, 3)):
        write(tmp_path / "images" / f"In_{number}.png")
        write(tmp_path / "masks" / f"In_{number}.png", level=level)
    with pytest.raises(DatasetError, match="expected masks marked from 128 on, got a highest value of 3"):
        read_labelled(tmp_path, LABELS)


def test_masks_that_mark_nothing_make_a_finding_of_the_whole_image(tmp_path: Path) -> None:
    write(tmp_path / "images" / "In_1.png")
    write(tmp_path / "masks" / "In_1.png", level=0)
    (image,) = read_labelled(tmp_path, LABELS)
    (finding,) = findings_of(image.masks[0])
    assert finding.mask.shape == (32, 32)


def test_images_without_a_mask_get_maps() -> None:
    bare = labelled("1", "dark")
    images = [bare, bare.__class__("2", "dark", "dark", bare.pixels)]
    maps = [lambda pixels: np.where(pixels < 90, 255, 0).astype(np.uint8)] * 2
    first, second = with_maps(images, maps)
    assert first is bare
    assert len(second.masks) == 2
    assert second.masks[0].sum() == 16 * 20
    (whole,) = with_maps(images[1:], [])
    assert whole.masks[0].all()


def test_a_map_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(pixels: np.ndarray) -> np.ndarray:
        made.append(1)
        return np.where(pixels < 90, 200, 100).astype(np.uint8)

    pixels = labelled("1", "dark").pixels
    first, second = KeptMaps(make, tmp_path / "a")(pixels), KeptMaps(make, tmp_path / "a")(pixels)
    assert len(made) == 1
    assert np.array_equal(first, second)
    assert set(np.unique(first)) == {0, 255}
    KeptMaps(make, tmp_path / "a")(pixels + np.uint8(1))
    assert len(made) == 2


def test_a_block_of_numbers_stays_on_one_side() -> None:
    labels = {"dark": Label(defect_class="dark", validation_share=0.2, held_back_share=0.3)}
    images = [labelled(f"{number:04d}", "dark") for number in range(100)]

    sides = split_images(images, labels, block=10)

    assert {side: len(members) for side, members in sides.items()} == {
        "train": 50,
        "validation": 20,
        "held back": 30,
    }
    blocks = [{int(image.name) // 10 for image in members} for members in sides.values()]
    assert sum(map(len, blocks)) == 10
    assert sides == split_images(images[::-1], labels, block=10) or all(
        {image.name for image in sides[side]} == {image.name for image in again}
        for side, again in split_images(images[::-1], labels, block=10).items()
    )


def test_pinned_images_lie_where_they_are_pinned() -> None:
    labels = {"dark": Label(defect_class="dark", validation_share=0, held_back_share=0)}
    images = [labelled(f"{number}", "dark") for number in range(30)]
    sides = split_images(images, labels, 10, {"7": "held back", "21": "validation"})
    assert [image.name for image in sides["held back"]] == ["7"]
    assert [image.name for image in sides["validation"]] == ["21"]


def test_findings_are_regions_and_the_largest_comes_first() -> None:
    mask = np.zeros((60, 60), np.bool_)
    mask[2:8, 2:8] = True
    mask[20:40, 10:30] = True
    mask[50:52, 50:52] = True

    large, small = findings_of(mask)

    assert (large.top, large.left, large.mask.shape) == (20, 10, (20, 20))
    assert (small.top, small.left, small.mask.sum()) == (2, 2, 36)


def test_where_nothing_is_marked_all_is_the_finding() -> None:
    (whole,) = findings_of(np.zeros((10, 12), np.bool_))
    assert whole.mask.shape == (10, 12)
    assert whole.mask.all()
