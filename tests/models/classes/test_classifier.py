from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.classes.classifier import UNKNOWN, Classifier
from models.classes.weights import SHIPPED, ClassifierInfo, load_classifier, locate_classifier
from models.errors import BackendError, TileError, WeightsError
from models.weights import available, load, locate
from models.weights.files import read_weights
from tests.models.classes.steel import CLASSES, labelled, write_classifier

MAX_SHIPPED_BYTES = 5_000_000
IMAGE = labelled("1", "dark")
MASK = IMAGE.masks[0][20:36, 24:44]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.safetensors"
    write_classifier(path)
    return path


def test_a_finding_has_the_likeliest_class(path: Path) -> None:
    classifier = Classifier.open(path)
    found = classifier.classify(IMAGE.pixels, MASK, 20, 24)
    shares = classifier.shares(IMAGE.pixels, MASK, 20, 24)
    assert found.defect_class == CLASSES[0]
    assert shares.sum() == pytest.approx(1)
    assert found.confidence == round(float(shares.max()), 3)
    assert (classifier.name, classifier.version, classifier.classes) == ("some", "test.1", CLASSES)


def test_one_that_nobody_is_sure_of_is_unknown_and_says_how_unsure(tmp_path: Path) -> None:
    path = tmp_path / "timid.safetensors"
    write_classifier(path, least_confidence=1.0)
    found = Classifier.open(path).classify(IMAGE.pixels, MASK, 20, 24)
    assert found.defect_class == UNKNOWN
    assert 0.5 < found.confidence < 1


def test_a_class_is_the_same_in_any_company(path: Path) -> None:
    classifier, again = Classifier.open(path), Classifier.open(path, threads=2)
    alone = classifier.shares(IMAGE.pixels, MASK, 20, 24)
    other = labelled("2", "bright", seed=2)
    with ThreadPoolExecutor(4) as pool:
        shares = list(
            pool.map(
                lambda turn: classifier.shares((IMAGE if turn % 2 else other).pixels, MASK, 20, 24),
                range(24),
            )
        )
    assert all(np.array_equal(one, alone) for one in shares[1::2])
    assert np.array_equal(again.shares(IMAGE.pixels, MASK, 20, 24), alone)


@pytest.mark.parametrize(
    "change",
    [{"classes": ("dark", "light")}, {"temperature": 1.5}, {"least_confidence": 0.5}],
    ids=["class-list", "temperature", "threshold"],
)
def test_all_that_decides_a_class_is_in_the_digest(path: Path, tmp_path: Path, change: dict) -> None:
    other = tmp_path / "other.safetensors"
    write_classifier(other, **change)
    assert Classifier.open(other).digest != Classifier.open(path).digest


def test_class_names_may_be_any_text(tmp_path: Path) -> None:
    path = tmp_path / "hostile.safetensors"
    write_classifier(path, classes=("<script>", "b"))
    assert Classifier.open(path).classify(IMAGE.pixels, MASK, 20, 24).defect_class == "<script>"


def test_files_of_another_kind_are_refused(path: Path) -> None:
    with pytest.raises(WeightsError, match="classes"):
        load_classifier(locate("csnet-x1"))
    with pytest.raises(WeightsError, match="bad metadata block"):
        load(path)
    with pytest.raises(WeightsError, match="no weights nothing"):
        Classifier.open("nothing")
    with pytest.raises(BackendError, match="threads: expected at least 1, got 0"):
        Classifier.open(path, threads=0)


def test_what_is_no_finding_is_refused(path: Path) -> None:
    classifier = Classifier.open(path)
    for pixels, mask in ((IMAGE.pixels[None], MASK), (IMAGE.pixels, np.zeros_like(MASK))):
        with pytest.raises(TileError, match="expected an image"):
            classifier.classify(pixels, mask)


@pytest.mark.parametrize("name", available(SHIPPED))
def test_what_ships_is_small_and_can_be_made_again(name: str) -> None:
    path = locate_classifier(name)
    _, info = read_weights(path, ClassifierInfo)
    assert path.stat().st_size < MAX_SHIPPED_BYTES
    assert info.recipe.startswith("coilwatch train-classes ")
    assert 0.3 < info.least_confidence < 1
    assert len(set(info.classes)) == len(info.classes) > 1
