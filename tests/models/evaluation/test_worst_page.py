from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluation import FolderEvaluation, evaluate_pairs, find_pairs
from models.evaluation.worst_page import (
    FALSE_NEGATIVE_BGR,
    FALSE_POSITIVE_BGR,
    MAX_SHOWN_PX,
    error_picture,
    worst_page,
)
from models.image_files import images_by_stem
from tests.models.evaluation.sets import mask_and_map, write, write_set

HOSTILE = "\"><img src=x onerror=alert(1)>{{ 7 * 7 }}'&<script>alert(1)<"
VOID = {"meta", "img"}


class Outline(HTMLParser):
    """Tags and text of a page whose tags close what they open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[tuple[str, np.ndarray]]:
        """What each picture says it is, and its pixels."""
        return [(attrs["alt"], _decoded(attrs["src"])) for tag, attrs in self.tags if tag == "img"]


def _decoded(url: str) -> np.ndarray:
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"), validate=True)
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def _page(found: FolderEvaluation, maps: Path, masks: Path, images: Path | None = None) -> Outline:
    pictures = images_by_stem(images) if images else None
    return Outline(worst_page(found.worst, found.scores, maps, masks, pictures))


def test_each_image_shows_image_mask_map_and_errors(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=3)
    images = tmp_path / "images"
    write(images / "strip-0.jpg", np.full((40, 48, 3), 90, np.uint8))
    write(images / "strip-1.png", np.full((40, 48), 80, np.uint8))
    (images / "strip-2.png").write_bytes(b"damaged")
    found = evaluate_pairs(find_pairs(maps, masks))
    page = _page(found, maps, masks, images)
    order = [image.pair.name for image in found.worst]
    kinds = [(words[-1], words[0]) for alt, _ in page.pictures() for words in [alt.split(" of ")]]
    assert kinds == [
        (name, kind)
        for name in order
        for kind in ("image", "mask", "map", "errors")
        if (name, kind) != ("strip-2", "image")
    ]
    pictures = dict(page.pictures())
    mask, prediction = mask_and_map(1)
    np.testing.assert_array_equal(pictures["map of strip-1"], prediction)
    np.testing.assert_array_equal(pictures["mask of strip-1"], mask)
    np.testing.assert_array_equal(pictures["errors of strip-1"], error_picture(prediction, mask))
    for image in found.worst:
        assert f"{image.scores.iou:.3f}" in page.text
        assert f"{image.false_positive_px:,} px" in page.text


def test_errors_are_coloured_by_kind() -> None:
    mask, prediction = np.array([[0, 255, 0, 255]], np.uint8), np.array([[9, 128, 200, 127]], np.uint8)
    expected = [[(0, 0, 0), (255, 255, 255), FALSE_POSITIVE_BGR, FALSE_NEGATIVE_BGR]]
    np.testing.assert_array_equal(error_picture(prediction, mask), np.array(expected, np.uint8))


def test_the_key_has_the_colours_of_the_picture(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=1)
    found = evaluate_pairs(find_pairs(maps, masks))
    style = re.findall(r"--(positive|negative): #(\w{6})", worst_page(found.worst, found.scores, maps, masks))
    colours = {name: tuple(bytes.fromhex(code))[::-1] for name, code in style}
    assert colours == {"positive": FALSE_POSITIVE_BGR, "negative": FALSE_NEGATIVE_BGR}


def test_names_of_files_stay_text(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    maps, masks = write_set(tmp_path / name, names=("tame", name))
    write(tmp_path / "images" / f"{name}.png", np.zeros((4, 4), np.uint8))
    page = _page(evaluate_pairs(find_pairs(maps, masks)), maps, masks, tmp_path / "images")
    assert page.text.count(name) == 4  # the title, both folders and the heading
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe"})
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert len(page.pictures()) == 7


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    maps, masks = write_set(tmp_path, count=2)
    page = _page(evaluate_pairs(find_pairs(maps, masks)), maps, masks)
    (policy,) = (attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for _, attrs in page.tags:
        assert attrs.get("src", "data:").startswith("data:")
        assert "href" not in attrs


def test_large_pictures_are_shrunk(tmp_path: Path) -> None:
    maps, masks = tmp_path / "maps", tmp_path / "masks"
    mask = np.zeros((30, 3 * MAX_SHOWN_PX), np.uint8)
    write(masks / "long.png", mask)
    mask[10:20, 30:300] = 255
    write(maps / "long.png", mask)
    page = _page(evaluate_pairs(find_pairs(maps, masks)), maps, masks)
    assert {picture.shape[:2] for _, picture in page.pictures()} == {(10, MAX_SHOWN_PX)}


@pytest.mark.parametrize("right", [True, False])
def test_a_set_without_an_error_says_so(tmp_path: Path, right: bool) -> None:
    maps, masks = write_set(tmp_path, count=1)
    if right:
        write(maps / "strip-0.png", mask_and_map(0)[0])
    page = _page(evaluate_pairs(find_pairs(maps, masks)), maps, masks)
    assert ("No image has a wrong pixel" in page.text) == right
