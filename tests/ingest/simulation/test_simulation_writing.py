"""Simulated coils and tiles on disk."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from ingest.errors import NotSimulatedError
from ingest.line import load_line
from ingest.simulation import SimulatedCoil, SimulatedTruth, write_coil, write_defects, write_tiles
from ingest.simulation.truth import Kind


def test_a_written_coil_is_the_coil(tmp_path: Path) -> None:
    coil = SimulatedCoil(2.4, 11, line="line-2", coil="coil-9")
    calls: list[tuple[int, int]] = []
    write_coil(coil, tmp_path, masks=True, progress=lambda done, of: calls.append((done, of)))
    assert calls == [(2 * count, 20) for count in range(1, 11)]
    for camera_index, band in enumerate(coil.bands):
        names = sorted(path.name for path in (tmp_path / band.camera).iterdir())
        assert len(names) == 10
        for sequence, name in enumerate(names):
            frame = cv2.imread(str(tmp_path / band.camera / name), cv2.IMREAD_UNCHANGED)
            mask = cv2.imread(str(tmp_path / "masks" / band.camera / name), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(frame, coil.frame(camera_index, sequence))
            assert np.array_equal(mask, coil.mask(camera_index, sequence))
    assert SimulatedTruth.from_json((tmp_path / "truth.json").read_bytes()) == coil.truth()


def test_no_frame_of_a_longer_coil_stays(tmp_path: Path) -> None:
    write_coil(SimulatedCoil(0.72, 1), tmp_path, masks=True)
    (tmp_path / "left" / "notes.txt").write_text("mine")
    write_coil(SimulatedCoil(0.24, 2), tmp_path)
    assert sorted(path.name for path in (tmp_path / "left").iterdir()) == ["000000.png", "notes.txt"]
    assert not list((tmp_path / "masks" / "right").iterdir())


@pytest.mark.parametrize(
    "own", ["line.toml", "left/000000.png", "masks/right/000000.png", "a.png", "drive/a.jpg"]
)
def test_a_line_of_the_users_own_is_left_as_it_is(tmp_path: Path, own: str) -> None:
    file = tmp_path / own
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    got = own.removesuffix("/000000.png")
    with pytest.raises(
        NotSimulatedError, match=rf"^{tmp_path}: expected .*truth\.json.* got {got} without it$"
    ):
        write_coil(SimulatedCoil(0.24, 1), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_a_simulation_that_was_ended_half_way_is_written_over(tmp_path: Path) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_coil(SimulatedCoil(0.72, 1), tmp_path, progress=end)
    coil = SimulatedCoil(0.24, 2)
    write_coil(coil, tmp_path)
    assert SimulatedTruth.from_json((tmp_path / "truth.json").read_bytes()) == coil.truth()


def test_the_line_is_described_for_inspection(tmp_path: Path) -> None:
    coil = SimulatedCoil(0.24, 11, line="line-2")
    write_coil(coil, tmp_path)
    line = load_line(tmp_path)
    assert line.name == "line-2"
    assert line.bands == coil.bands
    assert all((tmp_path / str(camera.folder) / "000000.png").is_file() for camera in line.cameras)
    assert not (tmp_path / "masks").exists()


def test_tiles_are_pairs_with_defects_in_about_half(tmp_path: Path) -> None:
    write_tiles(tmp_path, tiles=64, seed=3)
    images = sorted((tmp_path / "images").iterdir())
    masks = sorted((tmp_path / "masks").iterdir())
    assert [path.name for path in images] == [path.name for path in masks]
    assert len(images) == 64
    pixels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in images]
    truths = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in masks]
    assert {image.shape for image in pixels} == {truth.shape for truth in truths} == {(256, 256)}
    assert set(np.unique(np.stack(truths))) == {0, 255}
    assert 0.4 < np.mean([truth.any() for truth in truths]) < 0.7
    assert 5 <= sum(bool(image[:, :8].mean() < 40 or image[:, -8:].mean() < 40) for image in pixels) <= 30


def test_defects_are_written_by_kind_with_their_own_mask_alone(tmp_path: Path) -> None:
    write_defects(tmp_path / "a", defects=24, seed=3)
    write_defects(tmp_path / "b", defects=24, seed=3)
    images = sorted((tmp_path / "a").rglob("images/*.png"))
    assert len(images) == 24
    assert {path.parent.parent.name for path in images} <= set(get_args(Kind))
    for path in images:
        mask_path = path.parent.parent / "masks" / path.name
        image, mask = (cv2.imread(str(one), cv2.IMREAD_UNCHANGED) for one in (path, mask_path))
        assert image.shape == mask.shape == (256, 256)
        assert mask.any()
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.parametrize("size", [128, 480])
def test_tiles_follow_from_their_seed(tmp_path: Path, size: int) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_tiles(tmp_path / folder, tiles=4, seed=seed, size=size)
    content = {
        folder: [path.read_bytes() for path in sorted((tmp_path / folder).rglob("*.png"))] for folder in "abc"
    }
    assert content["a"] == content["b"] != content["c"]
