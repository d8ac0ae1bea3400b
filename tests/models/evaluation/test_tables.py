from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields

import pytest

from models.evaluation.tables import FIGURES, images_csv, images_json, set_csv, set_json, set_latex
from models.metrics import Evaluation, ImageScores, SetScores
from tests.models.evaluation.sets import mask_and_map

KEYS = [
    *("images", "s_measure", "weighted_f", "mae", "e_mean", "e_max", "e_adaptive", "f_mean", "f_max"),
    *("f_adaptive", "mae_raw", "dice", "iou", "boundary_f", "boundary_iou", "dice_mean", "iou_mean"),
]
LISTS = ["boundary_f_by_px", "boundary_iou_by_px"]
COLUMNS = [f"boundary_{kind}_{px}px" for kind in ("f", "iou") for px in range(1, 6)]


@pytest.fixture(scope="module")
def evaluated() -> tuple[SetScores, list[ImageScores]]:
    evaluation = Evaluation()
    images = [evaluation.add(*reversed(mask_and_map(seed))) for seed in range(3)]
    return evaluation.scores(), images


Evaluated = tuple[SetScores, list[ImageScores]]


def test_json_has_every_figure_in_full(evaluated: Evaluated) -> None:
    scores, _ = evaluated
    found = json.loads(set_json(scores))
    assert list(found) == KEYS + LISTS
    assert found["images"] == 3
    assert found == {key: value for key in found if (value := _plain(scores, key)) is not None}
    assert found["boundary_iou"] == pytest.approx(sum(found["boundary_iou_by_px"]) / 5)


def test_no_figure_is_forgotten(evaluated: Evaluated) -> None:
    keys = {figure.key for figure in FIGURES} | set(LISTS) | {"images"}
    assert {field.name for field in fields(evaluated[0])} == keys


def test_csv_has_every_figure_in_full(evaluated: Evaluated) -> None:
    scores, _ = evaluated
    (row,) = csv.DictReader(io.StringIO(set_csv(scores), newline=""))
    assert list(row) == KEYS + COLUMNS
    assert float(row["iou"]) == scores.iou
    assert float(row["boundary_f_3px"]) == scores.boundary_f_by_px[2]


def test_latex_has_a_cell_for_every_column(evaluated: Evaluated) -> None:
    scores, _ = evaluated
    text = set_latex(scores, r"50% of_A&B \ {x}~^#$")
    columns = re.match(r"\\begin\{tabular\}\{(l?r+)\}\n", text)
    assert columns is not None
    rows = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r" \\")]
    head, row = (re.split(r"(?<!\\) & ", line) for line in rows)
    assert len(head) == len(row) == len(columns.group(1)) == 1 + len(FIGURES)
    assert row[0] == r"50\% of\_A\&B \textbackslash{} \{x\}\textasciitilde{}\textasciicircum{}\#\$"
    assert row[1 + [figure.key for figure in FIGURES].index("iou")] == f"{scores.iou:.4f}"
    assert all(cell.count("$") == 2 for cell in head[1:])
    assert text.rstrip().endswith(r"\end{tabular}")


def test_images_as_json_and_csv(evaluated: Evaluated) -> None:
    _, scores = evaluated
    names = ["a", 'b, "quoted"\nand broken', "=SUM(A1)"]
    images = list(zip(names, scores, strict=True))
    objects = json.loads(images_json(images))
    rows = list(csv.DictReader(io.StringIO(images_csv(images), newline="")))
    assert [found["image"] for found in objects] == names
    assert [row["image"] for row in rows] == [*names[:2], "'=SUM(A1)"]
    assert list(objects[0]) == ["image", *KEYS[1:], *LISTS]
    assert list(rows[0]) == ["image", *KEYS[1:], *COLUMNS]
    assert [float(row["f_max"]) for row in rows] == [found["f_max"] for found in objects]
    assert [found["f_max"] for found in objects] == [image.f_max for image in scores]


def _plain(scores: SetScores, key: str) -> object:
    value = getattr(scores, key)
    return list(value) if isinstance(value, tuple) else value
