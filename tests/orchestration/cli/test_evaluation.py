"""`coilwatch evaluate` on files: its figures against PySODMetrics', its forms, its refusals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import py_sod_metrics as sod
import pytest

from tests.models.evaluation.sets import bomb, mask_and_map, write, write_set
from tests.orchestration.cli.conftest import Coilwatch

KEYS = [
    *("images", "s_measure", "weighted_f", "mae", "e_mean", "e_max", "e_adaptive", "f_mean", "f_max"),
    *("f_adaptive", "mae_raw", "dice", "iou", "boundary_f", "boundary_iou", "dice_mean", "iou_mean"),
    *("boundary_f_by_px", "boundary_iou_by_px"),
]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Maps and masks of five images, one of them without a defect and one not found at all."""
    maps, masks = write_set(tmp_path, count=5)
    write(masks / "strip-3.png", np.zeros((40, 48), np.uint8))
    write(maps / "strip-4.png", np.full((40, 48), 3, np.uint8))
    return maps, masks


@pytest.fixture
def work_folder(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `maps` and `masks` in it."""
    monkeypatch.chdir(folders[0].parent)
    return folders[0].parent


def pysod(maps: Path, masks: Path) -> dict[str, float]:
    """The figures that PySODMetrics knows, by our keys."""
    s, weighted, mae, e = sod.Smeasure(), sod.WeightedFmeasure(), sod.MAE(), sod.Emeasure()
    overlaps: dict[str, Any] = {
        "fm": sod.FmeasureHandler(beta=0.3, with_adaptive=True, with_dynamic=True),
        "iou": sod.IOUHandler(with_adaptive=False, with_dynamic=True),
        "dice": sod.DICEHandler(with_adaptive=False, with_dynamic=True),
    }
    all_overlaps = sod.FmeasureV2(metric_handlers=overlaps)
    for path in sorted(maps.iterdir()):
        prediction, mask = (_grey(path) for path in (path, masks / path.name))
        for metric in (s, weighted, mae, e, all_overlaps):
            metric.step(prediction, mask)
    e_found, found = e.get_results()["em"], all_overlaps.get_results()
    return {
        "s_measure": s.get_results()["sm"],
        "weighted_f": weighted.get_results()["wfm"],
        "mae": mae.get_results()["mae"],
        "e_mean": e_found["curve"].mean(),
        "e_max": e_found["curve"].max(),
        "e_adaptive": e_found["adp"],
        "f_mean": found["fm"]["dynamic"].mean(),
        "f_max": found["fm"]["dynamic"].max(),
        "f_adaptive": found["fm"]["adaptive"],
        "iou_mean": found["iou"]["dynamic"].mean(),
        "dice_mean": found["dice"]["dynamic"].mean(),
    }


def _grey(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def test_json_agrees_with_pysodmetrics(coilwatch: Coilwatch, folders: tuple[Path, Path]) -> None:
    ran = coilwatch("evaluate", *folders, "--format", "json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert list(found) == KEYS
    assert found["images"] == 5
    expected = pysod(*folders)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_figures_of_the_map_as_it_is(coilwatch: Coilwatch, folders: tuple[Path, Path]) -> None:
    maps, masks = folders
    found = json.loads(coilwatch("evaluate", maps, masks, "--format", "json").out)
    overlaps, errors = [], []
    for path in maps.iterdir():
        prediction, mask = _grey(path), _grey(masks / path.name) > 128
        either = ((prediction > 127) | mask).sum()
        overlaps.append(((prediction > 127) & mask).sum() / either if either else 0.0)
        errors.append(np.abs(prediction / 255 - mask).mean())
    assert found["iou"] == pytest.approx(np.mean(overlaps))
    assert found["mae_raw"] == pytest.approx(np.mean(errors))
    for kind in ("f", "iou"):
        assert found[f"boundary_{kind}"] == pytest.approx(np.mean(found[f"boundary_{kind}_by_px"]))
        assert len(found[f"boundary_{kind}_by_px"]) == 5


def test_every_form_says_the_same(coilwatch: Coilwatch, folders: tuple[Path, Path]) -> None:
    by_form = {form: coilwatch("evaluate", *folders, "--format", form) for form in ("json", "csv", "latex")}
    found = json.loads(by_form["json"].out)
    (row,) = csv.DictReader(io.StringIO(by_form["csv"].out))
    assert {key: float(row[key]) for key in KEYS[:-2]} == pytest.approx(
        {key: found[key] for key in KEYS[:-2]}
    )
    rounded = f"{found['iou']:.4f}"
    assert f" & {rounded} & " in by_form["latex"].out
    assert "maps & " in by_form["latex"].out
    table = coilwatch("evaluate", *folders)
    (line,) = (line for line in table.out.splitlines() if "IoU " in line and "mean" not in line)
    assert rounded in line
    assert "over 127" in line
    assert "5 images" in table.out
    assert all("Scoring" in ran.err and "Scoring" not in ran.out for ran in (*by_form.values(), table))


@pytest.mark.parametrize("suffix", [".csv", ".JSON"])
def test_figures_of_each_image(
    coilwatch: Coilwatch, folders: tuple[Path, Path], tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / "new" / f"images{suffix}"
    ran = coilwatch("evaluate", *folders, "--per-image", file, "--format", "json")
    assert ran.code == 0
    text = file.read_text(encoding="utf-8")
    rows = json.loads(text) if suffix == ".JSON" else list(csv.DictReader(io.StringIO(text)))
    assert [row["image"] for row in rows] == [f"strip-{at}" for at in range(5)]
    mean = np.mean([float(row["iou"]) for row in rows])
    assert mean == pytest.approx(json.loads(ran.out)["iou"])


def test_plots(coilwatch: Coilwatch, folders: tuple[Path, Path], tmp_path: Path) -> None:
    images = tmp_path / "images"
    write(images / "strip-1.jpg", np.full((40, 48, 3), 99, np.uint8))
    ran = coilwatch("evaluate", *folders, "--plots", tmp_path / "plots", "--images", images)
    assert ran.code == 0
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "pr-curve.svg",
        "f-curve.svg",
        "worst.html",
    }
    page = (tmp_path / "plots/worst.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 5
    assert 'alt="image of strip-1"' in page
    assert 'alt="image of strip-2"' not in page


def test_a_hostile_name_is_harmless_everywhere(coilwatch: Coilwatch, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>[red]\x1b[31m"
    maps, masks = write_set(tmp_path, names=("tame", name))
    ran = coilwatch("evaluate", maps, masks, "--plots", tmp_path / "plots", "--per-image", tmp_path / "a.csv")
    assert ran.code == 0
    page = (tmp_path / "plots/worst.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;[red]" in page
    (maps / "tame.png").unlink()
    (masks / f"{name}.png").unlink()
    refused = coilwatch("evaluate", maps, masks)
    assert "<img src=x onerror=alert(1)>[red]" in refused.error
    assert "\x1b" not in refused.error


@pytest.mark.parametrize(
    ("name", "pixels", "says"),
    [
        ("strip-1.png", np.zeros((40, 48), np.uint16), "strip-1.png: expected 8-bit grey, got 16-bit grey"),
        ("strip-1.png", np.zeros((40, 48, 3), np.uint8), "strip-1.png: expected 8-bit grey, got colour"),
        (
            "strip-1.png",
            np.zeros((40, 48, 4), np.uint8),
            "strip-1.png: expected 8-bit grey, got colour with alpha",
        ),
        ("strip-1.png", mask_and_map(1, (40, 47))[1], "expected the size of its mask, 40 x 48, got 40 x 47"),
        ("extra.png", mask_and_map(1)[1], "without a mask: extra.png"),
    ],
    ids=["16 bits", "colour", "alpha", "size", "name"],
)
def test_a_map_that_cannot_be_compared_is_refused_by_name(
    coilwatch: Coilwatch, folders: tuple[Path, Path], name: str, pixels: np.ndarray, says: str
) -> None:
    write(folders[0] / name, pixels)
    file = folders[0].parent / "images.csv"
    ran = coilwatch("evaluate", *folders, "--per-image", file, "--format", "json")
    assert ran.code == 1
    assert says in ran.error
    assert ran.out == ""
    assert not file.exists()


def test_damaged_files_are_refused_by_name(coilwatch: Coilwatch, folders: tuple[Path, Path]) -> None:
    maps, masks = folders
    whole = (maps / "strip-0.png").read_bytes()
    (maps / "strip-0.png").write_bytes(whole[: len(whole) // 2])
    (maps / "strip-1.png").write_bytes(bomb())
    (masks / "strip-2.png").write_bytes(b"")
    ran = coilwatch("evaluate", maps, masks)
    assert ran.code == 1
    assert ran.error.startswith("3 of 5 pairs cannot be compared: ")
    assert all(name in ran.error for name in ("strip-0.png", "strip-1.png", "strip-2.png"))


def test_what_is_refused_leaves_no_folders(
    coilwatch: Coilwatch, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    maps, masks = folders
    (masks / "strip-2.png").write_bytes(b"")
    outputs = ("--per-image", tmp_path / "figures" / "a.csv", "--plots", tmp_path / "plots")
    assert coilwatch("evaluate", maps, masks, *outputs).code == 1
    assert not (tmp_path / "figures").exists()
    assert not (tmp_path / "plots").exists()


def test_empty_folders_are_refused(coilwatch: Coilwatch, folders: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert coilwatch("evaluate", empty, folders[1]).error.startswith(f"no maps in {empty}: expected .png")
    assert coilwatch("evaluate", folders[0], empty).error.startswith(f"no masks in {empty}: expected .png")
    assert "No such file" in coilwatch("evaluate", folders[0], tmp_path / "none").error


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--per-image", "images.txt"), 2, ".csv or .json"),
        (("--images", "."), 2, "--plots"),
        (("--plots", "file"), 1, "output file: expected a folder"),
        (("--per-image", "folder.csv"), 1, "output folder.csv: expected a file, got a folder"),
        (("--images", "nowhere", "--plots", "plots"), 1, "expected a folder of images, got nowhere"),
    ],
)
def test_outputs_are_checked_before_the_work(
    coilwatch: Coilwatch, work_folder: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    (work_folder / "file").touch()
    (work_folder / "folder.csv").mkdir()
    ran = coilwatch("evaluate", "maps", "masks", *options)
    assert ran.code == code
    assert says in ran.err
    assert "Scoring" not in ran.err
    assert "Traceback" not in ran.err
