"""Frames of a line: which train, how they are marked, and what is scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.data.folders import Sample
from models.errors import DatasetError, TrainingError
from models.training.data import gather
from models.training.export import Exporter
from models.training.frames import MAX_HELD_OUT_TILES, load_frames, split_frames, tiles_of
from models.training.plots import FRAMES_CURVE, STRIP_CURVE, run_svg
from models.training.run_log import RunLog, read_log
from models.training.scoring import Scores
from models.training.structure import build_for
from models.training.watching import Standing
from models.weights.files import read_weights
from tests.models.samples import clean_sample, patch_sample, write_sample
from tests.models.training.runs import phase_of, recipe_of

RECIPE = recipe_of(phase_of(frames_share=0.25), held_out_share=0.2, held_out_frames_share=0.25)


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    for index in range(1, 11):
        write_sample(tmp_path / "steel" / "train", patch_sample(f"In_{index}", seed=index, side=32))
    return tmp_path / "steel" / "train"


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Four frames of two tiles, marked by class numbers in their left half, the first one by 0."""
    for index in range(4):
        marked = patch_sample(f"frame{index}", seed=index, side=256)
        image, mask = (np.hstack([plane, np.zeros_like(plane)]) for plane in (marked.image, marked.mask))
        write_sample(
            tmp_path / "frames",
            Sample(marked.name, image, np.where(mask > 0, index, 0).astype(np.uint8)),
        )
    return tmp_path / "frames"


def test_frames_are_split_and_marked_by_any_level_but_0(steel: Path, frames: Path) -> None:
    data = gather(RECIPE, steel, frames=[frames])
    assert [frame.name for frame in data.frames] == ["frame0", "frame1", "frame2"]
    assert {frame.image.shape for frame in data.frames} == {(256, 512)}
    assert all(frame.is_clean == (frame.name == "frame0") for frame in data.frames)
    assert {tile.name.split(" at ")[0] for tile in data.held_out_frames} == {"frame3"}
    assert {tile.image.shape for tile in data.held_out_frames} == {(256, 256)}
    assert any(not tile.is_clean for tile in data.held_out_frames)
    assert data.described().startswith("8 images of steel/train and 3 frames of a real line, digest")


def test_data_without_frames_keep_their_digest(steel: Path, frames: Path) -> None:
    plain = gather(recipe_of(phase_of(), held_out_share=0.2), steel)
    assert plain.digest == "732a5356686a0ff1"
    assert gather(RECIPE, steel, frames=[frames]).digest != plain.digest


@pytest.mark.parametrize(
    ("names", "held_out"),
    [
        ([f"cam-{number:04}" for number in range(8)], {"cam-0006", "cam-0007"}),
        ([f"{letter}_1" for letter in "abcdefgh"], 2),
        ([f"coil{coil}-{number}" for coil in range(4) for number in (1, 2)], {"coil1-2", "coil2-2"}),
        (["00ac8372f", "0198ab92d", "01df77e59", "0217af9b1"], 1),
    ],
    ids=["ends of stretches", "of one frame each", "short stretches", "hashes"],
)
def test_frames_that_follow_each_other_stay_together(
    tmp_path: Path, names: list[str], held_out: set[str] | int
) -> None:
    for name in names:
        write_sample(tmp_path, clean_sample(name, 1, side=16))
    found = {source.name for source in split_frames(RECIPE, [tmp_path])[1]}
    assert found == held_out if isinstance(held_out, set) else len(found) == held_out


def test_frames_of_several_folders_train(frames: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "more", clean_sample("other", 1, side=16))
    training, held_out = split_frames(RECIPE, [frames, tmp_path / "more"])
    assert len(training) + len(held_out) == 5


def test_frames_that_cannot_train_are_named(frames: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="trains on frames of a line: expected a folder, got none"):
        split_frames(RECIPE, [])
    for share, parted in ((1.0, "0 and 4 of 4"), (0.1, "4 and 0 of 4")):
        with pytest.raises(TrainingError, match=rf"at a held_out_frames_share of {share}, .*, got {parted}"):
            split_frames(RECIPE.model_copy(update={"held_out_frames_share": share}), [frames])
    write_sample(tmp_path / "tests", patch_sample("Pa_70", seed=1, side=32))
    with pytest.raises(TrainingError, match="tests holds test images: Pa_70"):
        split_frames(RECIPE, [frames, tmp_path / "tests"])


def test_masks_of_another_size_are_named_before_anything_is_read(frames: Path) -> None:
    assert cv2.imwrite(str(frames / "masks" / "frame1.png"), np.zeros((256, 500), np.uint8))
    with pytest.raises(DatasetError, match=r"frame1.png should be \(256, 512\), is \(256, 500\)"):
        split_frames(RECIPE, [frames])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_masks_that_lose_pixels_are_refused_whatever_their_name(frames: Path, suffix: str) -> None:
    mask = frames / "masks" / "frame1.png"
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 7] if suffix == ".tif" else []
    _, lossy = cv2.imencode(".tif" if suffix == ".tif" else ".jpg", cv2.imread(str(mask)), options)
    mask.unlink()
    mask.with_suffix(suffix).write_bytes(lossy.tobytes())
    with pytest.raises(
        DatasetError, match=rf"frame1\{suffix}: expected a format that loses no pixels.*, got .*(?i:jpeg)"
    ):
        split_frames(RECIPE, [frames])


def test_masks_without_clean_strip_are_refused(frames: Path) -> None:
    sources = split_frames(RECIPE, [frames])[0]
    for source in sources:
        mask = np.full((256, 512), 1, np.uint8)
        assert cv2.imwrite(str(source.mask), mask)
    with pytest.raises(DatasetError, match="0 where the strip is clean, got no pixel of 0"):
        load_frames(sources)


def test_small_frames_are_mirrored_and_not_stretched(tmp_path: Path) -> None:
    sample = patch_sample("small", 1, side=64)
    write_sample(tmp_path, sample)
    write_sample(tmp_path, replace(sample, name="other"))
    (frame,) = load_frames(
        split_frames(RECIPE.model_copy(update={"held_out_frames_share": 0.5}), [tmp_path])[0]
    )
    assert frame.image.shape == frame.mask.shape == (256, 256)
    assert np.array_equal(frame.image[:64, :64], sample.image)
    assert np.array_equal(frame.mask[64:128, :64], sample.mask[::-1])


def test_no_more_tiles_are_scored_than_the_time_allows_from_anywhere() -> None:
    image = np.zeros((256, 1600), np.uint8)
    tiles = tiles_of([Sample(str(number), image, image) for number in range(180)])
    assert len(tiles) == MAX_HELD_OUT_TILES
    assert len({tile.name.rpartition(", ")[2] for tile in tiles}) == 7


@pytest.mark.parametrize(("kind", "colour"), [("frames", FRAMES_CURVE), ("strip", STRIP_CURVE)])
def test_what_clean_images_show_stands_in_the_weights_and_the_plot(
    tmp_path: Path, kind: str, colour: str
) -> None:
    recipe = recipe_of(phase_of())
    steel = Scores(0.7, 0.1, 0.0, defective=3)
    for scores, told in (
        (Scores(0.3, 0.1, 0.2, defective=2, clean=4), {"iou": 0.3, "share": 0.2}),
        (Scores(0.0, 0.1, 0.2, defective=0, clean=4), {"share": 0.2}),
        (Scores(0.3, 0.1, 0.0, defective=2, clean=0), {"iou": 0.3}),
    ):
        standing = replace(Standing(1, "a", steel, None, is_best=True), **{kind: scores})
        file, log = tmp_path / "w.safetensors", RunLog(tmp_path)
        log.on_start(0)
        for watcher in (Exporter(file, recipe, "steel", "coilwatch train"), log):
            watcher.on_score(standing, build_for(recipe))
        metrics = read_weights(file)[1].metrics
        assert {name.split()[-1]: value for name, value in metrics.items() if kind in name} == told
        assert (colour in run_svg(read_log(tmp_path), "a")) == ("iou" in told)
