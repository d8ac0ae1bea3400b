from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.simulation.truth import EdgeSample, PlantedDefect, SimulatedTruth
from tests.workers.report import example
from workers.report.score_tables import score_tables
from workers.report.scoring import score


def defect(
    number: int, start: float, left: float, length: float = 30, width: float = 12, **changes: Any
) -> PlantedDefect:
    fields: dict[str, Any] = {
        "id": number,
        "kind": "slag-inclusion",
        "crop": "crop",
        "half": "judge",
        "start_mm": start,
        "end_mm": start + length,
        "left_mm": left,
        "right_mm": left + width,
        "area_mm2": length * width * 0.7,
        "contrast": 0.3,
    }
    return PlantedDefect(**(fields | changes))


def truth(*defects: PlantedDefect, **changes: Any) -> SimulatedTruth:
    fields: dict[str, Any] = {
        "line": "line-1",
        "coil": "C-1042",
        "side": "top",
        "seed": 7,
        "half": "judge",
        "family": "scaled",
        "length_mm": 20_000,
        "roll_circumference_mm": 1885,
        "cameras": (example.band("camera-1", 0),),
        "edges": (EdgeSample(along_mm=0, left_mm=60, right_mm=900),),
        "defects": defects,
    }
    return SimulatedTruth(**(fields | changes))


def test_kinds_are_told_by_the_class_of_their_largest_event() -> None:
    planted = (defect(0, 100, 100), defect(1, 900, 100), defect(2, 2_000, 100), defect(3, 5_000, 100))
    small = example.event(900, 100, 5, 5, defect_class="scratch")
    others = [
        example.event(at, 100, defect_class=name)
        for at, name in ((100, "inclusion"), (910, "inclusion"), (2_000, "patch"))
    ]
    report = example.report(small, *others)
    found = score(report, truth(*planted))
    assert [(one.kind, one.defect_class, one.defects) for one in found.classes] == [
        ("slag-inclusion", "inclusion", 2),
        ("slag-inclusion", "patch", 1),
    ]
    assert "Taken for" in [table.title for table in score_tables(found, report)]


def test_a_perfect_report() -> None:
    planted = (defect(0, 100, 100), defect(1, 5_000, 300, 2_000, 8, kind="long-scratch"))
    found = score(
        example.report(example.event(100, 100), example.event(5_000, 300, 2_000, 8)), truth(*planted)
    )
    assert found.recall.share == 1
    assert found.events_per_defect == 1
    assert (found.mean_position_error_mm, found.max_position_error_mm) == (0, 0)
    assert found.false_per_10_m == 0
    assert (found.split, found.merged, found.missed, found.false_events) == ((), (), (), ())
    assert [(kind.group, kind.found, kind.defects) for kind in found.by_kind] == [
        ("long-scratch", 1, 1),
        ("slag-inclusion", 1, 1),
    ]


def test_missed_and_false() -> None:
    stray = example.event(9_000, 500)
    found = score(
        example.report(example.event(100, 100), stray, length_mm=20_000, holes=()),
        truth(defect(0, 100, 100), defect(1, 3_000, 100), defect(2, 4_000, 100, 60, 60)),
    )
    assert (found.recall.found, found.recall.defects) == (1, 3)
    assert [missed.id for missed in found.missed] == [2, 1]
    assert found.false_events == (stray,)
    assert found.false_per_10_m == pytest.approx(0.5)
    assert found.events_per_defect == 1


def test_the_other_side_of_the_strip_is_another_place() -> None:
    found = score(example.report(example.event(100, 100, side="bottom")), truth(defect(0, 100, 100)))
    assert found.recall.found == 0
    assert len(found.false_events) == 1


@pytest.mark.parametrize(("gap", "found"), [(0, 1), (4.9, 1), (5.0, 1), (5.1, 0)])
@pytest.mark.parametrize("along", [True, False])
def test_the_tolerance_is_where_touching_ends(gap: float, found: int, along: bool) -> None:
    event = example.event(130 + gap, 100) if along else example.event(100, 112 + gap)
    assert score(example.report(event), truth(defect(0, 100, 100))).recall.found == found


def test_a_split_scratch_is_named_with_its_pieces() -> None:
    pieces = [example.event(5_000 + at, 300, 400, 8) for at in (0, 800, 1_600)]
    found = score(example.report(*pieces), truth(defect(3, 5_000, 300, 2_000, 8)))
    assert found.events_per_defect == 3
    assert [(item.defect, item.events) for item in found.split] == [(3, tuple(piece.id for piece in pieces))]
    assert found.max_position_error_mm == 0  # the pieces together lie where the scratch lies


def test_merged_defects_are_named_with_their_event() -> None:
    event = example.event(100, 100, 200, 12)
    found = score(example.report(event), truth(defect(0, 100, 100, 120), defect(1, 260, 100, 40)))
    assert (found.recall.found, found.recall.defects) == (2, 2)
    assert found.events_per_defect == 0.5
    assert [(item.event, item.defects) for item in found.merged] == [(event.id, (0, 1))]
    assert found.split == ()


def test_close_neighbours_found_one_by_one_are_neither_split_nor_merged() -> None:
    planted = (defect(0, 100, 100), defect(1, 100, 114))
    found = score(example.report(example.event(100, 100), example.event(100, 114)), truth(*planted))
    assert (found.split, found.merged, found.events_per_defect) == ((), (), 1)


def test_the_headline_counts_the_longer_extent() -> None:
    planted = (defect(0, 100, 100, 9, 4), defect(1, 500, 100, 4, 10), defect(2, 900, 100, 9.9, 9.9))
    found = score(example.report(), truth(*planted))
    assert found.recall.defects == 1
    assert [size.defects for size in found.by_size] == [0, 2, 1, 0, 0]
    assert score(example.report(), truth(*planted), smallest_mm=5).recall.defects == 3


def test_position_error_is_between_the_middles() -> None:
    found = score(
        example.report(example.event(103, 104), example.event(1_000, 100)),
        truth(defect(0, 100, 100), defect(1, 1_000, 100)),
    )
    assert found.max_position_error_mm == pytest.approx(5)
    assert found.mean_position_error_mm == pytest.approx(2.5)


def test_nothing_planted_and_nothing_found() -> None:
    found = score(example.report(), truth())
    assert found.recall.share == 1
    assert found.events_per_defect is None
    assert found.mean_position_error_mm is None
    assert [table.title for table in score_tables(found, example.report())] == ["Score"]


boxes = st.tuples(st.floats(0, 2_000), st.floats(60, 900), st.floats(1, 300), st.floats(1, 100))


@settings(max_examples=60)
@given(st.lists(boxes, max_size=8, unique=True), st.lists(boxes, max_size=8))
def test_the_account_adds_up(events: list[Any], planted: list[Any]) -> None:
    report = example.report(*(example.event(*box, thumbnail="") for box in events))
    defects = tuple(defect(number, *box) for number, box in enumerate(planted))
    found = score(report, truth(*defects), smallest_mm=0)
    assert (
        found.recall.found + len(found.missed) == len(defects) == sum(size.defects for size in found.by_size)
    )
    assert sum(kind.found for kind in found.by_kind) == found.recall.found
    touching = len(report.events) - len(found.false_events)
    if found.events_per_defect is not None:
        assert found.events_per_defect * found.recall.found == pytest.approx(touching)
    else:
        assert touching == 0
    merged_away = {number for item in found.merged for number in item.defects[1:]}
    assert merged_away.isdisjoint({item.defect for item in found.split})


@given(st.lists(st.integers(0, 9), max_size=6))
def test_of_a_truth_each_id_is_one_defect(numbers: list[int]) -> None:
    defects = [defect(number, 100 * place, 100) for place, number in enumerate(numbers)]
    if len(set(numbers)) == len(numbers):
        assert score(example.report(), truth(*defects)).recall.defects == len(numbers)
    else:
        with pytest.raises(ValidationError, match=r"expected each id once, got \d \d times"):
            truth(*defects)


@given(start=st.floats(0, 1_000), end=st.floats(0, 1_000), along=st.booleans())
def test_a_defect_ends_where_it_begins_or_behind(start: float, end: float, along: bool) -> None:
    low, high = ("start_mm", "end_mm") if along else ("left_mm", "right_mm")
    if start <= end:
        assert getattr(defect(0, 1, 1, **{low: start, high: end}), high) == end
    else:
        with pytest.raises(ValidationError, match=rf"expected {low} up to {high}, got "):
            defect(0, 1, 1, **{low: start, high: end})


def test_tables_have_a_cell_for_every_column() -> None:
    report = example.report(
        example.event(9_000, 500),
        example.event(100, 100, 200),
        *(example.event(5_000 + at, 300, 400, 8) for at in (800, 0)),
    )
    found = score(
        report,
        truth(
            defect(0, 100, 100, 120),
            defect(1, 260, 100, 40),
            defect(2, 3_000, 100),
            defect(3, 5_000, 300, 2_000, 8),
        ),
    )
    tables = score_tables(found, report)
    assert [table.title for table in tables] == [
        "Score",
        "Recall by size",
        "Recall by kind",
        "Taken for",
        "Split defects",
        "Merged defects",
        "Missed defects",
        "False events",
    ]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert tables[0].rows[0] == ("found of those 10 mm and longer", "3 of 4 (75%)")
    rows = {table.title: table.rows for table in tables}
    assert rows["Split defects"] == (("3", "2 3"),)
    assert rows["Merged defects"] == (("1", "0 1"),)
    assert [row[0] for row in rows["False events"]] == ["4"]
