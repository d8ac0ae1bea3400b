from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.records import DroppedFrames
from tests.workers.coil.records import FRAME_MM, band, closed, dark, inspection, unreadable
from workers.coil.coverage import LEAST_GAP_MM, CameraAccount, missing_frames
from workers.coil.dark_frames import Outlook
from workers.coil.records import Hole
from workers.inspection.records import Inspection

BAND = band()


def camera(*records: Inspection, **changes: Any) -> CameraAccount:
    account = CameraAccount()
    for record in records:
        account.add(record)
    if changes:
        account.closed = closed(**changes)
    return account


def extent(hole: Hole) -> tuple[float, float, int, str]:
    return hole.start_mm, hole.end_mm, hole.frames, hole.reason


def test_a_camera_with_every_frame_has_no_hole() -> None:
    account = camera(*map(inspection, range(5)), frames=5)

    coverage = account.coverage(BAND, 500)

    assert (coverage.sent, coverage.inspected, coverage.unreadable, coverage.missing) == (5, 5, 0, 0)
    assert (coverage.inspected_mm, coverage.share) == (500, 1)
    assert account.complete
    assert account.holes(BAND, 500) == []


def test_missing_frames_are_holes_between_their_neighbours() -> None:
    account = camera(*map(inspection, (2, 3, 6)), frames=9)

    assert list(account.missing()) == [(0, 1), (4, 5), (7, 8)]
    assert [extent(hole) for hole in account.holes(BAND, 900)] == [
        (0, 200, 2, "missing"),
        (400, 600, 2, "missing"),
        (700, 900, 2, "missing"),
    ]
    assert account.holes(BAND, 900)[0].detail == "frames 0 to 1: did not arrive"
    assert [(m.first, m.last) for m in missing_frames("top", "left", account)] == [(0, 1), (4, 5), (7, 8)]
    assert not account.complete


def test_frames_dropped_at_the_edge_are_holes_that_say_so() -> None:
    dropped = [
        DroppedFrames(first=6, last=20, reason="disk full"),
        DroppedFrames(first=1, last=3, reason="spool full"),
    ]
    account = camera(*map(inspection, (0, 5)), frames=9, dropped=tuple(dropped))

    assert [(extent(hole), hole.detail) for hole in account.holes(BAND, 900)] == [
        ((100, 400, 3, "missing"), "frames 1 to 3: dropped at the edge, spool full"),
        ((400, 500, 1, "missing"), "frame 4: did not arrive"),
        ((600, 900, 3, "missing"), "frames 6 to 8: dropped at the edge, disk full"),
    ]
    assert account.coverage(BAND, 900).missing == 7


def test_a_frame_that_was_dropped_and_came_all_the_same_is_no_hole() -> None:
    dropped = DroppedFrames(first=0, last=1, reason="spool full")
    account = camera(*map(inspection, range(3)), frames=3, dropped=(dropped,))

    assert account.holes(BAND, 300) == []
    assert account.complete


def test_unreadable_neighbours_of_one_cause_are_one_hole() -> None:
    records = [
        unreadable(1),
        unreadable(2),
        unreadable(3, "not a PNG"),
        *map(inspection, (0, 4)),
        unreadable(5, "not a PNG"),
    ]
    account = camera(*records, frames=6)

    assert [extent(hole) for hole in account.holes(BAND, 600)] == [
        (100, 300, 2, "unreadable"),
        (300, 400, 1, "unreadable"),
        (500, 600, 1, "unreadable"),
    ]
    assert account.holes(BAND, 600)[1].detail == "frame 3: not a PNG"
    assert account.complete, "an unreadable frame is here, though nobody could read it"
    assert account.coverage(BAND, 600).share == pytest.approx(2 / 6, abs=1e-6)


def test_dark_frames_are_holes_but_where_the_camera_looks_past_the_strip() -> None:
    account = camera(*map(inspection, (0, 4)), dark(1), dark(2), unreadable(3), frames=5)
    ends_before = Outlook(BAND, [], [[(150.0, -5.0, 100.0), (250.0, 60.0, 100.0)]])

    assert [(extent(hole), hole.detail) for hole in account.holes(BAND, 500)] == [
        ((100, 300, 2, "dark"), "frames 1 to 2: no strip to be seen"),
        ((300, 400, 1, "unreadable"), "frame 3: PNG is cut off"),
    ]
    coverage = account.coverage(BAND, 500)
    assert (coverage.sent, coverage.inspected, coverage.unreadable, coverage.missing) == (5, 4, 1, 0)
    assert (coverage.dark, coverage.inspected_mm, coverage.share) == (2, 200, 0.4)

    assert [extent(hole) for hole in account.holes(BAND, 500, ends_before)] == [
        (200, 300, 1, "dark"),
        (300, 400, 1, "unreadable"),
    ]
    coverage = account.coverage(BAND, 500, ends_before)
    assert (coverage.dark, coverage.share) == (1, 0.6)


def test_a_frame_that_could_not_be_read_and_then_shows_no_strip_is_dark() -> None:
    account = camera(unreadable(0), dark(0, digest=unreadable(0).digest), frames=1)

    assert [extent(hole) for hole in account.holes(BAND, 100)] == [(0, 100, 1, "dark")]
    coverage = account.coverage(BAND, 100)
    assert (coverage.inspected, coverage.unreadable, coverage.dark) == (1, 0, 1)


@pytest.mark.parametrize(
    ("lit_mm", "beside"),
    [((), True), ((30.0, 70.0), True), ((100.0,), True), ((101.0,), False), ((101.0, 200.0, 3.0), False)],
)
def test_a_camera_stands_beside_the_strip_where_it_sees_but_a_sliver(
    lit_mm: tuple[float, ...], beside: bool
) -> None:
    lit = [inspection(n, right_edge_mm=width) for n, width in enumerate(lit_mm)]

    assert camera(*lit, dark(9)).stands_beside_strip is beside
    assert not camera(*lit, unreadable(9)).stands_beside_strip


@pytest.mark.parametrize("account", [camera(), camera(frames=0)], ids=["silent", "closed-at-once"])
def test_a_camera_that_never_started_is_a_hole_as_long_as_the_coil(account: CameraAccount) -> None:
    (hole,) = account.holes(BAND, 900)

    assert extent(hole) == (0, 900, 0, "never started")
    assert account.coverage(BAND, 900).share == 0


def test_a_camera_all_of_whose_frames_are_missing() -> None:
    account = camera(frames=4)

    assert [extent(hole) for hole in account.holes(BAND, 400)] == [(0, 400, 4, "missing")]
    assert account.coverage(BAND, 400).missing == 4


def test_a_camera_that_never_closed_has_a_hole_to_the_end() -> None:
    account = camera(inspection(0), inspection(2))

    assert [extent(hole) for hole in account.holes(BAND, 1000)] == [
        (100, 200, 1, "missing"),
        (300, 1000, 0, "missing"),
    ]
    assert account.holes(BAND, 1000)[1].detail == "the camera never closed"
    assert not account.complete


def test_frames_that_overlap_do_not_make_up_for_missing_ones() -> None:
    overlapping = [inspection(n, along_mm=n * 50.0) for n in range(5)]

    assert camera(*overlapping).coverage(BAND, 600).inspected_mm == 300


@given(
    starts=st.lists(st.floats(-1000, 900), min_size=1, max_size=12),
    before=st.lists(st.floats(-1000, -FRAME_MM), max_size=5),
)
def test_frames_before_the_head_make_up_for_nothing(starts: list[float], before: list[float]) -> None:
    frames = [inspection(n, along_mm=start) for n, start in enumerate([*starts, *before])]
    kept = frames[: len(starts)]
    covered = {mm for mm in range(1000) if any(start <= mm < start + FRAME_MM for start in starts)}

    coverage = camera(*frames).coverage(BAND, 1000)

    assert coverage.inspected_mm == camera(*kept).coverage(BAND, 1000).inspected_mm
    assert coverage.inspected_mm == pytest.approx(len(covered), abs=len(starts))
    assert coverage.inspected_mm <= 1000


def shifted(frames: range, by_mm: float) -> list[Inspection]:
    return [inspection(n, along_mm=n * FRAME_MM + by_mm) for n in frames]


@pytest.mark.parametrize(
    ("frames", "length_mm", "hole", "detail"),
    [
        ([*shifted(range(2), 0), *shifted(range(2, 4), 300)], 700, (200, 500), "between frames 1 and 2"),
        (shifted(range(3), 250), 550, (0, 250), "before frame 0"),
        (shifted(range(3), 0), 400, (300, 400), "after frame 2"),
        (shifted(range(3), -300), 400, (0, 400), "after frame 2"),
        ([*shifted(range(3), -250), *shifted(range(3, 5), 0)], 500, (50, 300), "between frames 2 and 3"),
    ],
    ids=[
        "the encoder jumps",
        "late start",
        "early end",
        "all before the head",
        "a jump from before the head",
    ],
)
def test_strip_without_a_frame_is_a_hole(
    frames: list[Inspection], length_mm: float, hole: tuple[float, float], detail: str
) -> None:
    account = camera(*frames, frames=len(frames))

    (found,) = account.holes(BAND, length_mm)

    assert (extent(found), found.detail) == ((*hole, 0, "no frame"), detail)
    assert account.coverage(BAND, length_mm).inspected_mm == length_mm - (hole[1] - hole[0])


def test_strip_without_a_frame_is_told_apart_from_frames_that_were_lost_beside_it() -> None:
    frames = [inspection(0), unreadable(1), unreadable(2, along_mm=500.0), inspection(4, along_mm=700.0)]
    account = camera(*frames, frames=6, end_mm=900.0)

    assert [(extent(hole), hole.detail) for hole in account.holes(BAND, 1000)] == [
        ((100, 200, 1, "unreadable"), "frame 1: PNG is cut off"),
        ((200, 500, 0, "no frame"), "between frames 1 and 2"),
        ((500, 600, 1, "unreadable"), "frame 2: PNG is cut off"),
        ((600, 700, 1, "missing"), "frame 3: did not arrive"),
        ((800, 900, 1, "missing"), "frame 5: did not arrive"),
        ((900, 1000, 0, "no frame"), "after frame 5"),
    ]


def test_unseen_frames_of_strip_that_was_pulled_back_are_holes_where_they_lie() -> None:
    frames = [
        dark(0, along_mm=100.0),
        dark(1, along_mm=0.0),
        dark(2, along_mm=300.0),
        dark(3, along_mm=200.0),
    ]

    assert [extent(hole) for hole in camera(*frames, frames=4).holes(BAND, 400)] == [
        (0, 200, 2, "dark"),
        (200, 400, 2, "dark"),
    ]


@given(jitter=st.lists(st.floats(-2.49, 2.49), min_size=2, max_size=10), mm_per_row=st.floats(0.01, 5))
def test_frames_that_tremble_by_less_than_a_gap_leave_no_hole(jitter: list[float], mm_per_row: float) -> None:
    length = 200 * mm_per_row
    frames = [inspection(n, along_mm=n * length + off, mm_per_row=mm_per_row) for n, off in enumerate(jitter)]

    assert camera(*frames, frames=len(frames)).holes(BAND, len(frames) * length) == []


@st.composite
def wild_cameras(draw: st.DrawFn) -> tuple[CameraAccount, list[Inspection]]:
    """Frames of any state anywhere in whole millimetres, some of them missing."""
    kinds = st.sampled_from((inspection, dark, unreadable))
    frames = [
        draw(kinds)(n, along_mm=float(draw(st.integers(-300, 900))))
        for n in draw(st.sets(st.integers(0, 9), min_size=1, max_size=7))
    ]
    account = camera(*frames)
    if draw(st.booleans()):
        account.closed = closed(draw(st.integers(0, 12)), end_mm=draw(st.integers(0, 1000)))
    return account, frames


@settings(max_examples=300)
@given(wild=wild_cameras(), beyond=st.integers(0, 300))
def test_all_strip_is_inspected_or_in_a_hole(
    wild: tuple[CameraAccount, list[Inspection]], beyond: int
) -> None:
    account, frames = wild
    length = int(account.end_mm) + beyond
    holes = account.holes(BAND, length)
    taken = {mm for f in frames for mm in range(int(f.along_mm), int(f.along_mm + FRAME_MM))}
    seen = {
        mm
        for f in frames
        if f.status == "inspected" and f.strip_mm > 0
        for mm in range(int(f.along_mm), int(f.along_mm + FRAME_MM))
    }

    bare = set(range(length)) - seen
    for hole in holes:
        inside = set(range(int(hole.start_mm), int(hole.end_mm)))
        assert hole.start_mm <= hole.end_mm
        assert hole.reason != "no frame" or (not inside & taken and inside <= set(range(length)))
        bare -= {mm for mm in bare if hole.start_mm - 1 < mm < hole.end_mm}

    assert all(set(range(mm, mm + int(LEAST_GAP_MM))) - bare for mm in bare)
    assert account.coverage(BAND, length).inspected_mm == len(seen & set(range(length)))


def test_a_closing_that_claims_very_many_frames_costs_nothing() -> None:
    account = camera(inspection(0), frames=10**12, end_mm=1e6)

    assert list(account.missing()) == [(1, 10**12 - 1)]
    assert [extent(hole) for hole in account.holes(BAND, 1e6)] == [(100, 1e6, 10**12 - 1, "missing")]


def test_the_band_is_the_announced_one_or_the_first_frames() -> None:
    wide, narrow = inspection(1, width=500), inspection(0)

    assert camera().band is None
    assert camera(wide, narrow).band == camera(narrow, wide).band == BAND
    account = camera(wide)
    account.announced = BAND
    assert account.band == BAND


@settings(max_examples=80)
@given(
    here=st.dictionaries(st.integers(0, 30), st.booleans(), max_size=20),
    frames=st.none() | st.integers(0, 35),
    order=st.randoms(use_true_random=False),
)
def test_sent_is_inspected_and_unreadable_and_missing(
    here: dict[int, bool], frames: int | None, order: Any
) -> None:
    sequences = list(here)
    order.shuffle(sequences)
    account = camera(*(inspection(n) if here[n] else unreadable(n) for n in sequences))
    if frames is not None:
        account.closed = closed(frames)
    length = max(account.end_mm, FRAME_MM)

    coverage = account.coverage(BAND, length)
    holes = account.holes(BAND, length)

    assert coverage.sent == coverage.inspected + coverage.unreadable + coverage.missing
    assert coverage.inspected == sum(here.values())
    assert sum(last - first + 1 for first, last in account.missing()) == coverage.missing
    assert sum(hole.frames for hole in holes) == coverage.unreadable + coverage.missing
    assert [hole.start_mm for hole in holes] == sorted(hole.start_mm for hole in holes)
    lost = sum(hole.end_mm - hole.start_mm for hole in holes)
    assert coverage.inspected_mm + lost == pytest.approx(length)
