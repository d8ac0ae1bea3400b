from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.coil.records import COIL, LINE, Points, box, closed, events_of, finding, inspection, opened
from workers.coil.account import CoilAccount
from workers.coil.cells import CELL_MM
from workers.coil.grading import GradingRules
from workers.coil.joining import Joiner, JoiningSettings, union_area_mm2
from workers.coil.outlines import within_reach
from workers.coil.records import CoilReport, DefectEvent
from workers.inspection.records import Inspection

RULES = GradingRules.load()
FRAMES = 6


def report(records: list[Inspection], frames: int = FRAMES, batch: int = 1000) -> CoilReport:
    """The report of a coil whose account is asked for events and counts after each batch of records."""
    account = CoilAccount(LINE, COIL, 1)
    account.add_opened(opened("left", "right"))
    for number, record in enumerate(records):
        account.add(record)
        if number % batch == batch - 1:
            assert len(events_of(account, RULES)) == account.counts.events
    for camera in ("left", "right"):
        account.add_closed_camera(closed(frames, camera))
    return account.report(account.close_record("complete"), RULES)


def events(*records: Inspection) -> tuple[DefectEvent, ...]:
    return report(list(records)).events


boxes = st.builds(
    lambda start, left, length, width: box(start, min(start + length, 100), left, min(left + width, 200)),
    st.floats(0, 90).map(lambda value: round(value, 3)),
    st.floats(0, 190).map(lambda value: round(value, 3)),
    st.sampled_from((0.5, 4.0, 30.0)),
    st.sampled_from((0.5, 4.0, 30.0)),
)


@st.composite
def coils(draw: st.DrawFn) -> list[Inspection]:
    records = []
    for camera, across in (("left", 0.0), ("right", 180.0)):
        for sequence in range(FRAMES):
            found = [
                finding(
                    [(along + sequence * 100, left + across) for along, left in outline],
                    name=(camera, sequence, number),
                )
                for number, outline in enumerate(draw(st.lists(boxes, max_size=3)))
            ]
            edges = {"left_edge_mm": draw(st.none() | st.floats(5, 20))}
            records.append(inspection(sequence, *found, camera=camera, **edges))
    return records


@settings(max_examples=40)
@given(records=coils(), shuffle=st.randoms(use_true_random=False), batch=st.integers(1, 5))
def test_order_and_batches_do_not_change_the_report(
    records: list[Inspection], shuffle: random.Random, batch: int
) -> None:
    mixed = records[:]
    shuffle.shuffle(mixed)

    assert report(mixed, batch=batch).to_json() == report(records).to_json()


VAST_MM = 1.6e7
places = st.one_of(
    st.floats(-120, 120),
    # Where cells end, and just within or beyond reach of there.
    st.builds(
        lambda cell, beside: cell * CELL_MM + beside, st.integers(-3, 3), st.sampled_from((-15, -5, 0, 5, 15))
    ),
    st.sampled_from((-VAST_MM, VAST_MM - 100_000)),
).map(lambda value: round(value, 3))
lengths = st.sampled_from((0.0, 0.5, 4.0, 30.0, 60.0, 300.0, 100_000.0))
anywhere = st.builds(
    lambda start, left, length, width: box(start, start + length, left, left + width),
    places,
    places,
    lengths,
    lengths,
)
VAST = {
    "along_mm": -VAST_MM,
    "across_mm": -VAST_MM,
    "mm_per_row": 1000.0,
    "mm_per_column": 1000.0,
    "height": 32_000,
    "width": 32_000,
}
"""A frame of 32 km by 32 km, that holds findings anywhere."""
gaps = st.sampled_from((0.1, 5.0, 15.0, 50.0, 1000.0))


def connected(outlines: list[tuple[str, Points]], along_mm: float, across_mm: float) -> set[frozenset[int]]:
    """Numbers of the findings of each event, by comparing every one with all others."""
    arrays = [np.array(outline, np.float64) for _, outline in outlines]
    groups: list[set[int]] = []
    for number, (side, _) in enumerate(outlines):
        met = [
            group
            for group in groups
            if any(
                outlines[other][0] == side
                and within_reach(arrays[number], arrays[other], along_mm, across_mm)
                for other in group
            )
        ]
        groups = [group for group in groups if group not in met] + [{number}.union(*met)]
    return set(map(frozenset, groups))


@settings(max_examples=150)
@given(
    found=st.lists(st.tuples(st.sampled_from(("top", "bottom")), anywhere), max_size=8),
    along_mm=gaps,
    across_mm=gaps,
    shuffle=st.randoms(use_true_random=False),
)
def test_events_are_those_of_comparing_all_with_all(
    found: list[tuple[str, Points]], along_mm: float, across_mm: float, shuffle: random.Random
) -> None:
    joiner = Joiner(JoiningSettings(along_gap_mm=along_mm, across_gap_mm=across_mm))
    order = list(range(len(found)))
    shuffle.shuffle(order)
    for number in order:
        side, outline = found[number]
        joiner.add(inspection(number, finding(outline, name=number), side=side, **VAST))

    expected = connected(found, along_mm, across_mm)
    assert {frozenset(one.sequence for one in group.findings) for group in joiner.groups()} == expected
    assert joiner.events == len(expected)


def test_a_defect_across_a_frame_border_is_one_event() -> None:
    first = inspection(0, finding(box(80, 100, 50, 60)))
    second = inspection(1, finding(box(100, 130, 52, 63)))

    (event,) = events(first, second)

    assert (event.start_mm, event.end_mm, event.left_mm, event.right_mm) == (80, 130, 50, 63)
    assert (event.findings, event.frames, event.cameras) == (2, 2, ("left",))
    assert event.area_mm2 == 20 * 10 + 30 * 11
    assert event.id == min(f.id for f in (*first.findings, *second.findings))
    assert event.thumbnail == second.findings[0].thumbnail


def test_what_two_cameras_both_saw_counts_once() -> None:
    # The defect spans 170 to 215 mm; the left camera sees it up to 200 mm, the right one from 180 mm.
    left = inspection(0, finding(box(20, 50, 170, 200)))
    right = inspection(0, finding(box(20, 50, 180, 215)), camera="right")

    (event,) = events(left, right)

    assert event.cameras == ("left", "right")
    assert event.area_mm2 == pytest.approx(30 * 45, rel=0.005)


def test_what_frames_of_one_camera_both_saw_counts_once() -> None:
    # At its speed the strip moves by 40 mm from one frame of 100 mm to the next.
    frames = (inspection(n, finding(box(90, 100, 20, 30), name=n), along_mm=n * 40.0) for n in range(3))

    (event,) = events(*frames)

    assert event.area_mm2 == pytest.approx(100, rel=0.005)


def test_what_three_frames_saw_counts_once() -> None:
    # 60 + 60 + 60 mm2 that overlap by 40 and by 20; 20 of it all three have seen.
    boxes = (box(20, 26, 180, 190), box(22, 28, 180, 190), box(24, 30, 180, 190))
    frames = (inspection(n, finding(one, name=n), along_mm=n * 5.0) for n, one in enumerate(boxes))

    (event,) = events(*frames)

    assert event.area_mm2 == pytest.approx(100, rel=0.005)


def test_a_hollow_neighbour_takes_no_overlap_away() -> None:
    # Both cameras see the same solid scratch; a ring at its head is hollow.
    scratch = [finding(box(20, 60, 180, 200), name=name) for name in ("left", "right")]
    ring = finding(box(18, 24, 180, 200), area_mm2=24, name="ring")
    left, right = inspection(0, scratch[0]), inspection(0, scratch[1], camera="right")

    (event,) = events(left, right, inspection(1, ring, along_mm=0.0))

    assert event.area_mm2 == pytest.approx(40 * 20 + 2 / 6 * 24, rel=0.01)


def test_overlap_of_findings_with_holes_is_no_larger_than_the_findings() -> None:
    ring = finding(box(20, 50, 180, 200), area_mm2=150, name="left")
    same = finding(box(20, 50, 180, 200), area_mm2=150, name="right")

    (event,) = events(inspection(0, ring), inspection(0, same, camera="right"))

    assert event.area_mm2 == pytest.approx(150, rel=0.005)


@given(area=st.floats(1, 600), other=st.floats(1, 600))
def test_a_union_is_between_its_largest_part_and_the_sum(area: float, other: float) -> None:
    joiner = Joiner()
    joiner.add(inspection(0, finding(box(20, 50, 180, 200), area)))
    joiner.add(inspection(0, finding(box(21, 49, 182, 200), other), camera="right"))
    (group,) = joiner.groups()

    union = union_area_mm2(group.findings)

    assert max(area, other) - 0.001 <= union <= area + other + 0.001


def test_a_broken_scratch_over_ten_frames_is_one_event() -> None:
    scratch = [
        inspection(
            n,
            finding(box(n * 100, n * 100 + 55, 90, 91)),
            finding(box(n * 100 + 65, n * 100 + 94, 90.5, 91.5)),
        )
        for n in range(10)
    ]

    (event,) = report(scratch, frames=10).events

    assert (event.start_mm, event.end_mm, event.findings, event.frames) == (0, 994, 20, 10)
    assert event.area_mm2 == pytest.approx(10 * (55 + 29))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (box(10, 20, 50, 60), box(36, 46, 50, 60)),
        (box(10, 20, 50, 60), box(10, 20, 66, 76)),
        # Both within reach along and across, not in both together.
        (box(10, 20, 50, 60), box(33, 43, 64, 74)),
        # The box of the L holds the second; its outline stays away from it.
        (((0, 0), (90, 0), (90, 2), (2, 2), (2, 90), (0, 90)), box(60, 80, 60, 80)),
    ],
    ids=["along", "across", "diagonally", "beside-an-L"],
)
def test_separate_defects_are_two_events(first: Points, second: Points) -> None:
    assert len(events(inspection(0, finding(first), finding(second)))) == 2


WIDE: dict[str, Any] = {"mm_per_row": 10.0, "mm_per_column": 10.0, "height": 30_000}
"""A frame of 300 m by 4 m."""


@given(rows=st.integers(0, 200_000), columns=st.integers(0, 900), scale=st.sampled_from((0.1, 0.3, 0.5)))
def test_what_lies_just_a_gap_apart_is_one_event_wherever_it_lies(
    rows: int, columns: int, scale: float
) -> None:
    def placed(row: int, column: int) -> Points:
        start, left = round((rows + row) * scale, 3), round((columns + column) * scale, 3)
        end, right = round((rows + row + 10) * scale, 3), round((columns + column + 10) * scale, 3)
        return box(start, end, left, right)

    def joined(rows_apart: int, columns_apart: int) -> bool:
        joiner = Joiner(JoiningSettings(along_gap_mm=50 * scale, across_gap_mm=10 * scale))
        found = (placed(0, 0), placed(10 + rows_apart, columns_apart))
        joiner.add(inspection(0, *map(finding, found), along_mm=0.0, **WIDE))
        return joiner.events == 1

    assert joined(50, 0)
    assert joined(-10, 10 + 10)
    assert not joined(51, 0)
    assert not joined(-10, 10 + 11)


def test_a_finding_that_comes_last_can_join_two_events() -> None:
    joiner = Joiner()
    joiner.add(inspection(0, finding(box(10, 20, 50, 60)), finding(box(60, 70, 50, 60))))
    assert (joiner.events, joiner.findings) == (2, 2)

    joiner.add(inspection(1, finding(box(20, 60, 52, 54)), along_mm=0.0))

    assert (joiner.events, joiner.findings) == (1, 3)


@pytest.mark.parametrize(
    ("first", "second"),
    [(box(0, 80, 98, 102), box(38, 42, 40, 160)), (box(0, 90, 20, 150), box(40, 44, 80, 84))],
    ids=["plus-sign", "containment"],
)
def test_outlines_whose_corners_are_far_apart_may_still_meet(first: Points, second: Points) -> None:
    tight = JoiningSettings(along_gap_mm=0.1, across_gap_mm=0.1)
    for pair in ((first, second), (second, first)):
        joiner = Joiner(tight)
        joiner.add(inspection(0, *(finding(outline) for outline in pair)))
        assert joiner.events == 1


@pytest.mark.parametrize("turned", [False, True], ids=["the long one first", "the long one last"])
def test_a_finding_longer_than_any_frame_is_joined_all_the_same(turned: bool) -> None:
    long = inspection(0, finding(box(50, 30_000, 50, 60)), height=100_000 // 4, mm_per_row=4.0)
    records = [
        long,
        inspection(3, finding(box(320, 330, 55, 65), name="within reach")),
        inspection(
            3, finding(box(320, 330, 90, 99), name="beside"), digest="0" * 32, camera="right", across_mm=0
        ),
        inspection(3, finding(box(320, 330, 55, 65), name="below"), side="bottom"),
    ]

    found = events(*(records[::-1] if turned else records))

    assert [(event.side, event.findings) for event in found] == [("bottom", 1), ("top", 2), ("top", 1)]


@pytest.mark.timeout(20)
def test_findings_as_long_as_a_record_may_have_them_are_joined_in_no_time() -> None:
    long = [finding(box(-3e7, 0, n * 0.9, n * 0.9 + 0.5)) for n in range(200)]

    (event,) = events(inspection(0, *long, along_mm=-3e7, height=30_000, mm_per_row=1000.0))

    assert event.findings == 200


def test_the_two_sides_of_the_strip_are_not_joined() -> None:
    top = inspection(0, finding(box(10, 20, 50, 60), name="top"))
    bottom = inspection(0, finding(box(10, 20, 50, 60), name="bottom"), side="bottom")

    assert [event.side for event in events(top, bottom)] == ["bottom", "top"]


def test_a_slanted_defect_in_both_cameras_counts_once() -> None:
    def slanted(left: float, right: float) -> Points:
        """The part between two positions across of a band 10 mm long that rises 1 in 2."""
        return ((left / 2, left), (left / 2 + 10, left), (right / 2 + 10, right), (right / 2, right))

    left = inspection(0, finding([(a - 60, c) for a, c in slanted(150, 200)]))
    right = inspection(0, finding([(a - 60, c) for a, c in slanted(180, 240)]), camera="right")

    (event,) = events(left, right)

    assert math.isclose(event.area_mm2, 10 * 90, rel_tol=0.01)
