"""The strip edges of real line-scan frames, against edges that were read by eye."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from workers.inspection.edges import StripEdges, find_strip_edges

TOLERANCE_PX = 5
TRUTH: dict[str, tuple[int | None, int | None]] = json.loads(
    Path(__file__).with_name("severstal_edges.json").read_text(encoding="utf-8")
)["frames"]

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    return data_dir / "severstal-frames" / "images"


def frame(folder: Path, name: str) -> NDArray[np.uint8]:
    path = folder / name
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None, f"{path} cannot be read"
    return pixels.astype(np.uint8)


def assert_near(found: StripEdges, left: int | None, right: int | None) -> None:
    for name, edge, true in (("left", found.left, left), ("right", found.right, right)):
        if true is None or edge is None:
            assert edge == true, f"{name}: expected {true}, found {edge}"
        else:
            assert abs(edge - true) <= TOLERANCE_PX, f"{name}: expected {true}, found {edge}"


def test_every_frame_of_the_folder_has_its_truth(folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("*.png")) == sorted(TRUTH)


@pytest.mark.parametrize("name", TRUTH)
def test_edges_of_a_frame(folder: Path, name: str) -> None:
    assert_near(find_strip_edges(frame(folder, name)), *TRUTH[name])


@pytest.mark.parametrize("name", TRUTH)
def test_edges_change_sides_with_the_frame(folder: Path, name: str) -> None:
    pixels = frame(folder, name)
    left, right = TRUTH[name]
    width = pixels.shape[1]
    mirrored = [None if edge is None else width - edge for edge in (right, left)]
    assert_near(find_strip_edges(np.ascontiguousarray(pixels[:, ::-1])), *mirrored)


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("rows", [np.s_[:32], np.s_[-32:]], ids=["first rows", "last rows"])
def test_edges_of_a_short_frame(folder: Path, name: str, rows: slice) -> None:
    assert_near(find_strip_edges(frame(folder, name)[rows]), *TRUTH[name])
