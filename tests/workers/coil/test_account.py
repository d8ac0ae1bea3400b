from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.records import MAX_MM, CameraClosed, CoilOpened
from tests.workers.coil.records import (
    COIL,
    LINE,
    box,
    closed,
    dark,
    digest,
    events_of,
    finding,
    inspection,
    opened,
    unreadable,
)
from tests.workers.inspection.strategies import MODEL, headers, places, regions
from workers.coil.account import CoilAccount
from workers.coil.frame_notes import Verdict
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport, MissingFrames
from workers.errors import WrongCoilError
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, Inspection, ModelIdentity

RULES = GradingRules.load()
MOST_BYTES_A_FRAME = 400


def account() -> CoilAccount:
    return CoilAccount(LINE, COIL, 1)


def test_equal_duplicates_are_ignored_and_unequal_ones_counted() -> None:
    coil = account()
    first = inspection(0, finding(box(0, 10, 0, 10)))

    assert coil.add(first) is Verdict.NEW
    assert coil.add(first) is Verdict.DUPLICATE
    assert coil.add(inspection(0, digest=digest("other pixels"))) is Verdict.CONFLICT

    counts = coil.counts
    assert (counts.duplicates, counts.conflicts, counts.inspected, counts.events) == (1, 1, 1, 1)
    report = coil.report(coil.close_record("idle"), RULES)
    assert report.conflicts == 1
    assert len(report.events) == 1, "the first one in the log counts"


def test_control_records_count_once() -> None:
    coil = account()

    assert coil.add_opened(opened())
    assert not coil.add_opened(opened("left", "right"))
    assert coil.add_closed_camera(closed(1))
    assert not coil.add_closed_camera(closed(2))
    assert coil.counts.sent == 1


@pytest.mark.parametrize("changes", [{"line": "line-2"}, {"coil": "C-8"}, {"run": 2}], ids=str)
def test_records_of_another_coil_are_refused(changes: dict[str, Any]) -> None:
    coil = account()
    came = "{line}/{coil} run {run}".format(**({"line": LINE, "coil": COIL, "run": 1} | changes))
    message = f"expected a record of line-1/C-7 run 1, got one of {came}"

    with pytest.raises(WrongCoilError, match=message):
        coil.add(inspection(0, **changes))
    with pytest.raises(WrongCoilError, match=message):
        coil.add_opened(opened(**changes))
    with pytest.raises(WrongCoilError, match=message):
        coil.add_closed_camera(closed(1, **changes))
    with pytest.raises(WrongCoilError, match=message):
        coil.report(account().close_record("idle").model_copy(update=changes), RULES)
    assert coil.counts.sent == 0


def test_a_coil_is_complete_when_every_camera_closed_and_every_frame_is_here() -> None:
    coil = account()
    assert not coil.complete
    coil.add_opened(opened("left", "right"))
    coil.add(inspection(0))
    coil.add_closed_camera(closed(2, "left"))
    assert not coil.cameras_closed
    coil.add_closed_camera(closed(0, "right"))
    assert coil.cameras_closed
    assert not coil.complete
    assert coil.missing() == (MissingFrames(side="top", camera="left", first=1, last=1),)
    coil.add(unreadable(1))
    assert coil.complete
    assert coil.missing() == ()


def test_a_coil_that_is_whole_after_all_is_complete_whatever_closed_it() -> None:
    coil = account()
    coil.add_opened(opened())
    coil.add_closed_camera(closed(2))
    coil.add(inspection(0))
    closing = coil.close_record("grace time passed")

    coil.add(inspection(1))
    report = coil.report(closing, RULES)

    assert (report.closed, report.grade.decision) == ("complete", "release")


def test_a_coil_whose_opening_is_not_here_is_not_complete() -> None:
    coil = account()
    coil.add(inspection(0))
    coil.add_closed_camera(closed(1))

    assert not coil.complete
    assert not coil.cameras_closed


def test_a_camera_that_was_not_announced_must_close_too() -> None:
    coil = account()
    coil.add_opened(opened("left"))
    coil.add_closed_camera(closed(0, "left"))
    assert coil.complete

    coil.add(inspection(0, camera="right"))

    assert not coil.cameras_closed
    assert [c.band.camera for c in coil.report(coil.close_record("idle"), RULES).cameras] == ["left", "right"]


def test_counts_and_lengths_follow_the_strip() -> None:
    coil = account()
    coil.add_opened(opened())
    coil.add(inspection(0, finding(box(10, 20, 10, 20)), finding(box(60, 70, 10, 20))))
    coil.add(unreadable(2))

    counts = coil.counts

    assert (counts.sent, counts.inspected, counts.unreadable) == (3, 1, 1)
    assert (counts.findings, counts.events, counts.length_mm) == (2, 2, 300)


def test_events_lie_at_a_distance_from_the_edges_seen_nearest() -> None:
    coil = account()
    coil.add(inspection(0, left_edge_mm=10.0))
    coil.add(inspection(1, finding(box(140, 150, 30, 50)), left_edge_mm=12.0))
    coil.add(inspection(1, camera="right", right_edge_mm=350.0))
    coil.add(inspection(2, left_edge_mm=16.0))

    report = coil.report(coil.close_record("idle"), RULES)

    (event,) = report.events
    assert (event.from_left_edge_mm, event.from_right_edge_mm) == (18, 300)
    assert (report.strip_left_mm, report.strip_right_mm) == (12, 350)


def test_a_long_event_lies_as_far_from_a_wandering_edge_as_its_findings_do() -> None:
    # The strip wanders by 8 mm a frame, and a scratch 20 mm beside its edge with it.
    coil = account()
    for n in range(10):
        edge = 10.0 + 8.0 * n
        start = n * 100.0
        scratch = finding(box(start, start + 100, edge + 20, edge + 25))
        coil.add(inspection(n, scratch, left_edge_mm=edge, right_edge_mm=edge + 75))

    (event,) = events_of(coil, RULES)

    assert (event.findings, event.from_left_edge_mm, event.from_right_edge_mm) == (10, 20, 50)


def test_without_a_sighting_there_is_no_distance() -> None:
    coil = account()
    coil.add(inspection(0, finding(box(10, 20, 30, 50)), left_edge_mm=10.0, side="bottom"))
    coil.add(inspection(0, finding(box(10, 20, 30, 50), name="top")))

    assert [(e.side, e.from_left_edge_mm) for e in events_of(coil, RULES)] == [("bottom", 20), ("top", None)]


def test_findings_beyond_the_limit_and_models_show_in_the_report() -> None:
    coil = account()
    other = ModelIdentity(name="csnet", version="0", digest="cd" * 16)
    coil.add(inspection(0, further_findings=3, further_area_mm2=1.5))
    coil.add(inspection(1, further_findings=2, further_area_mm2=0.25, model=other))

    report = coil.report(coil.close_record("idle"), RULES)

    assert (report.further_findings, report.further_area_mm2) == (5, 1.75)
    assert [model.version for model in report.models] == ["0", "1"]


def test_models_that_differ_by_their_classifiers_name_alone_stand_in_order() -> None:
    coil = account()
    names = (None, *(f"steel {n}" for n in range(9)))
    for n, name in enumerate(reversed(names)):
        coil.add(
            inspection(n, model=ModelIdentity(name="csnet", version="1", digest="ab" * 16, classifier=name))
        )

    report = coil.report(coil.close_record("idle"), RULES)

    assert tuple(model.classifier for model in report.models) == names


def test_the_coverage_of_a_coil_is_that_of_its_cameras() -> None:
    coil = account()
    coil.add_opened(opened("left", "right"))
    for record in (inspection(0), inspection(1), inspection(0, camera="right")):
        coil.add(record)

    report = coil.report(coil.close_record("idle"), RULES)

    assert (report.length_mm, report.coverage_share) == (200, 0.75)
    assert account().report(account().close_record("idle"), RULES).coverage_share == 0


def two_cameras(left: Sequence[Inspection], right: Sequence[Inspection]) -> CoilReport:
    """Of a whole coil; the bands reach from 0 to 200 mm and from 180 to 380 mm."""
    coil = account()
    coil.add_opened(opened("left", "right"))
    for record in (*left, *right):
        coil.add(record)
    for camera, frames in (("left", left), ("right", right)):
        end_mm = frames[-1].along_mm + frames[-1].height * frames[-1].mm_per_row
        coil.add_closed_camera(closed(len(frames), camera, end_mm=end_mm))
    return coil.report(coil.close_record("complete"), RULES)


def lit(
    edges_mm: Sequence[float | None], camera: str = "left", edge: str = "right_edge_mm"
) -> list[Inspection]:
    """Frames that see the strip's edge there, or do not see it."""
    return [inspection(n, camera=camera, **{edge: at}) for n, at in enumerate(edges_mm)]


def rights_dark_from(first: int, frames: int, edge_mm: float | None) -> list[Inspection]:
    """Frames of the right camera, which sees the strip up to an edge until its lamp fails."""
    seen = lit([edge_mm] * first, "right")
    return [*seen, *(dark(n, camera="right") for n in range(first, frames))]


@pytest.mark.parametrize(
    "left",
    [
        lit([None] * 4),
        lit([10.0] * 4, edge="left_edge_mm"),
        lit([330.0] * 4),
        lit([201.0] * 4),
        lit([95.0] * 4),
    ],
    ids=[
        "no edge",
        "the other edge",
        "an edge in the band",
        "just in the band",
        "a false edge: half the bar",
    ],
)
@pytest.mark.parametrize("edge_mm", [None, 330.0])
def test_a_coil_is_held_where_a_camera_grows_dark_above_the_strip(
    left: list[Inspection], edge_mm: float | None
) -> None:
    report = two_cameras(left, rights_dark_from(2, 4, edge_mm))

    (hole,) = report.holes
    assert (hole.camera, hole.start_mm, hole.end_mm, hole.reason) == ("right", 200, 400, "dark")
    assert [(camera.share, camera.dark) for camera in report.cameras] == [(1, 0), (0.5, 2)]
    assert report.grade.decision == "hold"
    needed = "camera top/right: 50.0% inspected, at least 99.5% needed"
    assert report.grade.reasons == (f"{needed}; no strip to be seen in 2 frames",)


def test_a_coil_that_no_camera_sees_is_held() -> None:
    report = two_cameras([dark(n) for n in range(3)], rights_dark_from(0, 3, None))

    assert [(hole.camera, hole.reason) for hole in report.holes] == [("left", "dark"), ("right", "dark")]
    assert (report.coverage_share, report.grade.decision) == (0, "hold")


@pytest.mark.parametrize("edge_mm", [150.0, 180.0, 200.0])
def test_a_camera_past_a_narrow_strip_holds_nothing(edge_mm: float) -> None:
    report = two_cameras(lit([edge_mm] * 4), rights_dark_from(0, 4, None))

    assert (report.holes, report.coverage_share) == ((), 1)
    assert report.grade.reasons == ("no defect found, everything inspected",)


def by_lengths(lengths_mm: Sequence[int], camera: str, **changes: Any) -> list[Inspection]:
    """Frames of these lengths that adjoin, from the head on."""
    starts = accumulate(lengths_mm, initial=0)
    return [
        inspection(n, camera=camera, along_mm=float(start), height=2 * length, **changes)
        for n, (start, length) in enumerate(zip(starts, lengths_mm, strict=False))
    ]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1000] * 2, [100] * 20),
        ([250] * 8, [100] * 20),
        ([100] * 20, [1000] * 2),
        ([1000, 900, 100], [500] * 4),
        ([600, 600, 600, 200], [950, 950, 100]),
    ],
    ids=["shorter frames", "not a multiple", "longer frames", "a rest beside long ones", "a rest of its own"],
)
def test_frames_of_other_lengths_explain_dark_ones_beside_them(
    left: Sequence[int], right: Sequence[int]
) -> None:
    past = by_lengths(right, "right", left_edge_mm=0.0, right_edge_mm=0.0)
    sees = by_lengths(left, "left", right_edge_mm=185.0)

    report = two_cameras(sees, past)

    assert [camera.dark for camera in report.cameras] == [0, 0]
    # Where the left one sees strip to its border, nothing explains what is dark beside that frame alone.
    sees[0] = by_lengths(left, "left")[0]
    dark_mm = sum(hole.end_mm - hole.start_mm for hole in two_cameras(sees, past).holes)
    assert left[0] - 2 * right[0] <= dark_mm <= left[0]


@pytest.mark.parametrize(("edge_mm", "dark_frames"), [(215.0, 0), (180.0, 0), (179.0, 3)])
def test_a_camera_past_the_drive_side_edge(edge_mm: float, dark_frames: int) -> None:
    report = two_cameras([dark(n) for n in range(3)], lit([edge_mm] * 3, "right", "left_edge_mm"))

    assert [camera.dark for camera in report.cameras] == [dark_frames, 0]


def test_strip_that_wanders_out_of_a_camera_explains_each_dark_frame() -> None:
    edges = [172.0, 212.0, 252.0, 212.0] * 3
    left = lit([edge if edge < 200 else None for edge in edges])
    right = [
        dark(n, camera="right") if edge < 180 else inspection(n, camera="right", right_edge_mm=edge)
        for n, edge in enumerate(edges)
    ]

    assert two_cameras(left, right).grade.decision == "release"
    # A frame more that is dark, where the left one sees strip to its border.
    right[1] = dark(1, camera="right")
    assert [hole.reason for hole in two_cameras(left, right).holes] == ["dark"]


def test_edges_of_the_other_side_excuse_no_dark_camera() -> None:
    coil = account()
    coil.add(dark(0))
    coil.add(inspection(0, side="bottom", left_edge_mm=190.0))

    (hole,) = coil.report(coil.close_record("idle"), RULES).holes
    assert (hole.side, hole.reason) == ("top", "dark")


def test_few_dark_frames_are_told_where_the_coil_is_released() -> None:
    frames = 400
    report = two_cameras(lit([None] * frames), [*rights_dark_from(399, frames, None)])

    assert report.grade.decision == "release"
    assert report.grade.reasons == ("no defect found; no strip to be seen in 1 frame",)


@pytest.mark.parametrize("first_mm", [0, -10_000])
def test_frames_before_the_head_release_no_coil_with_dark_strip(first_mm: int) -> None:
    coil = account()
    coil.add_opened(opened())
    starts = range(first_mm, 100_000, 250)
    for n, start in enumerate(starts):
        record = dark if 40_000 <= start < 50_000 else inspection
        coil.add(record(n, along_mm=float(start), height=500))
    coil.add_closed_camera(closed(len(starts), end_mm=100_000))

    report = coil.report(coil.close_record("complete"), RULES)

    assert (report.length_mm, report.coverage_share, report.grade.decision) == (100_000, 0.9, "hold")
    assert [(hole.start_mm, hole.end_mm, hole.reason) for hole in report.holes] == [(40_000, 50_000, "dark")]


@pytest.mark.parametrize(("jump_mm", "decision"), [(0, "release"), (300, "release"), (30_000, "hold")])
def test_strip_that_an_encoder_jumps_over_is_told(jump_mm: int, decision: str) -> None:
    coil = account()
    coil.add_opened(opened())
    starts = [n * 250.0 + jump_mm * (n >= 200) for n in range(400)]
    for n, start in enumerate(starts):
        coil.add(inspection(n, along_mm=start, height=500))
    coil.add_closed_camera(closed(400, end_mm=starts[-1] + 250))

    report = coil.report(coil.close_record("complete"), RULES)

    stretches = [(hole.start_mm, hole.end_mm, hole.reason) for hole in report.holes]
    assert stretches == ([(50_000, 50_000 + jump_mm, "no frame")] if jump_mm else [])
    assert report.grade.decision == decision
    (reason,) = report.grade.reasons
    assert ("everything inspected" in reason, "1 stretch without a frame" in reason) == (
        not jump_mm,
        bool(jump_mm),
    )


def test_a_camera_that_ends_before_the_others_leaves_a_hole() -> None:
    report = two_cameras(lit([None] * 4), lit([None] * 3, "right"))

    (hole,) = report.holes
    assert (hole.camera, hole.start_mm, hole.end_mm, hole.detail) == ("right", 300, 400, "after frame 2")
    assert report.grade.decision == "hold"


REACH = {"mm_per_row": 1000.0, "height": 20_000}


@pytest.mark.parametrize(
    "records",
    [
        [inspection(0, along_mm=-3e7, mm_per_row=1000.0, height=32_768)],
        [inspection(0, along_mm=-2e7, **REACH), inspection(1, along_mm=0.0, **REACH)],
        [
            inspection(
                0, finding(box(0, 10, -2.9e7, -2.8e7)), across_mm=-3e7, mm_per_column=1000.0, width=2_000
            ),
            inspection(
                0, camera="right", across_mm=2.8e7, mm_per_column=1000.0, width=2_000, left_edge_mm=2.9e7
            ),
        ],
    ],
    ids=["a frame longer than strip", "frames longer than strip", "a finding far from the edge"],
)
def test_records_at_the_bounds_of_strip_are_reported(records: list[Inspection]) -> None:
    coil = account()
    for record in records:
        coil.add(Inspection.from_json(record.to_json()))

    report = coil.report(coil.close_record("idle"), RULES)

    assert CoilReport.from_json(report.to_json()) == report


@st.composite
def valid_inspections(draw: st.DrawFn, sequence: int) -> Inspection:
    """Of any frame that validates, with edges and findings anywhere in it."""
    head = draw(headers(sequence))
    result = FrameResult(
        status="inspected",
        model=MODEL,
        strip_left=draw(st.none() | places(head.width)),
        strip_right=draw(st.none() | places(head.width)),
        regions=tuple(draw(st.lists(regions(head), max_size=2))),
    )
    return place(head, result)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_validates_can_be_reported(data: st.DataObject) -> None:
    coil = account()
    for sequence in data.draw(st.lists(st.integers(0, 9), unique=True, max_size=5)):
        coil.add(data.draw(valid_inspections(sequence)))
    for camera in data.draw(st.sets(st.sampled_from(("left", "right")))):
        frames, end_mm = data.draw(st.tuples(st.integers(0, 12), st.floats(-MAX_MM, MAX_MM)))
        coil.add_closed_camera(closed(frames, camera, end_mm=end_mm))

    report = coil.report(coil.close_record("idle"), RULES)

    assert CoilReport.from_json(report.to_json()) == report


ALL: tuple[CoilOpened | CameraClosed | Inspection, ...] = (
    opened("left", "right"),
    closed(4, "left"),
    closed(3, "right"),
    inspection(0, finding(box(80, 100, 20, 30)), left_edge_mm=10.1),
    inspection(1, finding(box(100, 120, 22, 31)), left_edge_mm=10.3),
    unreadable(2),
    dark(1, camera="right"),
    inspection(0, finding(box(30, 60, 180, 210)), camera="right", further_findings=1, further_area_mm2=0.1),
    inspection(2, camera="right", right_edge_mm=300.7, further_findings=2, further_area_mm2=0.7),
)


@settings(max_examples=40)
@given(records=st.permutations(ALL))
def test_the_report_does_not_depend_on_order(records: list[CoilOpened | CameraClosed | Inspection]) -> None:
    def report(ordered: list[CoilOpened | CameraClosed | Inspection]) -> bytes:
        coil = account()
        for record in ordered:
            if isinstance(record, CoilOpened):
                coil.add_opened(record)
            elif isinstance(record, CameraClosed):
                coil.add_closed_camera(record)
            else:
                coil.add(record)
        return coil.report(coil.close_record("grace time passed"), RULES).to_json()

    assert report(records) == report(list(ALL))


def test_a_frame_without_findings_costs_few_bytes() -> None:
    frames = 5000
    coil = account()
    # Records come as JSON, so that nothing of one frame is shared with the next.
    records = [inspection(n, left_edge_mm=n / 7, right_edge_mm=n / 3).to_json() for n in range(frames)]
    tracemalloc.start()
    try:
        for record in records:
            coil.add(Inspection.from_json(record))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert used / frames < MOST_BYTES_A_FRAME
