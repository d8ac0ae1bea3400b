import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.data.folders import load_sample, load_samples, load_unlabelled
from models.errors import DatasetError, ImageFileError
from tests.models.samples import patch_sample, write_sample


def test_samples_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("Sc_2", "In_1", "Pa_9"):
        write_sample(tmp_path, patch_sample(name, seed=len(name)))
    samples = load_samples(tmp_path)
    assert [sample.name for sample in samples] == ["In_1", "Pa_9", "Sc_2"]
    assert np.array_equal(samples[0].image, patch_sample("In_1", seed=4).image)
    assert set(np.unique(samples[0].mask)) == {0, 255}


def test_a_png_counts_where_an_image_has_several_masks(tmp_path: Path) -> None:
    sample = patch_sample("In_1", seed=1)
    write_sample(tmp_path, sample)
    assert cv2.imwrite(str(tmp_path / "masks" / "In_1.bmp"), 255 - sample.mask)
    (tmp_path / "masks" / "In_1.txt").write_text("drawn twice")
    assert np.array_equal(load_samples(tmp_path)[0].mask, sample.mask)


def test_what_lies_beside_a_mask_and_is_no_image_is_no_mask(tmp_path: Path) -> None:
    sample = patch_sample("In_1", seed=1)
    write_sample(tmp_path, sample)
    mask = tmp_path / "masks" / "In_1.png"
    assert cv2.imwrite(str(mask.with_suffix(".bmp")), sample.mask)
    mask.unlink()
    mask.with_suffix(".json").write_text("{}")
    assert np.array_equal(load_samples(tmp_path)[0].mask, sample.mask)


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    write_sample(tmp_path, patch_sample("In_1", seed=1))
    (tmp_path / "images" / "._In_1.png").write_bytes(b"of a Mac")
    assert [sample.name for sample in load_samples(tmp_path)] == ["In_1"]
    assert [sample.name for sample in load_unlabelled(tmp_path)] == ["In_1"]


def double_image(folder: Path) -> None:
    image = folder / "images" / "In_1.png"
    (folder / "images" / "In_1.bmp").write_bytes(image.read_bytes())


def shrink_mask(folder: Path) -> None:
    other = folder / "other"
    write_sample(other, patch_sample("In_1", seed=1, side=32))
    (other / "masks" / "In_1.png").replace(folder / "masks" / "In_1.png")


def deepen_mask(folder: Path) -> None:
    mask = folder / "masks" / "In_1.png"
    assert cv2.imwrite(str(mask), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).astype(np.uint16))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "images" / "In_1.png").unlink(), "no images"),
        (lambda folder: (folder / "masks" / "In_1.png").unlink(), "no mask for"),
        (lambda folder: (folder / "images" / "In_1.png").write_bytes(b"\x89PNG"), "expected a PNG, JPEG"),
        (deepen_mask, r"masks/In_1\.png: expected 8-bit pixels, got 16-bit grey"),
        (shrink_mask, "should be"),
        (double_image, r"expected one image of a name, got 2 of that of .*In_1\.bmp"),
    ],
    ids=["no images", "no mask", "truncated", "16-bit mask", "other size", "two of one name"],
)
def test_a_folder_that_cannot_be_used_names_what_is_wrong(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    write_sample(tmp_path, patch_sample("In_1", seed=1))
    damage(tmp_path)
    with pytest.raises((DatasetError, ImageFileError), match=message):
        load_samples(tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, patch_sample("In_1", seed=1))
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "images") + b"/In\xff_1.png"))
    odd.write_bytes((tmp_path / "images" / "In_1.png").read_bytes())
    for load, folder in ((load_samples, tmp_path), (load_unlabelled, tmp_path / "images")):
        with pytest.raises(DatasetError, match="expected a file name in UTF-8"):
            load(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path: Path) -> None:
    write_sample(tmp_path, patch_sample("In_1", seed=1))
    closed = tmp_path / "images" / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(DatasetError, match=r"expected a folder that can be read, got .*closed: Permission"):
        load_unlabelled(tmp_path)


def test_exif_turns_no_image_away_from_its_mask(tmp_path: Path) -> None:
    sample = patch_sample("In_1", seed=1)
    write_sample(tmp_path, sample)
    turned = Image.Exif()
    turned[274] = 6  # Orientation: a quarter turn to look at.
    path = tmp_path / "turned" / "In_1.jpg"
    path.parent.mkdir()
    Image.fromarray(sample.image[:48]).save(path, quality=100, exif=turned)
    mask = tmp_path / "mask.png"
    assert cv2.imwrite(str(mask), sample.mask[:48])
    for found in (load_sample(path, mask).image, load_unlabelled(path.parent)[0].image):
        assert found.shape == (48, 64)
        assert np.abs(found.astype(int) - sample.image[:48]).max() < 8
