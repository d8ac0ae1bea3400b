"""What comes after a coil's closing, and the account made again from the log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.coil.records import COIL, LINE, MODEL, box, closed, finding, inspection, opened, unreadable
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.grading import GradingRules
from workers.coil.recalling import recall
from workers.coil.records import CoilClosed, CoilReopened, CoilReport, Tombstone
from workers.inspection.records import Finding, Inspection, ModelIdentity

RULES = GradingRules.load()
OTHER = ModelIdentity(name="csnet", version="2", digest="cd" * 16)


def account() -> CoilAccount:
    return CoilAccount(LINE, COIL, 1)


def coil_closed(revision: int = 1) -> CoilClosed:
    return CoilClosed(line=LINE, coil=COIL, run=1, revision=revision, reason="complete")


def reopened(model: ModelIdentity | None = None, frames: int | None = None) -> CoilReopened:
    digest = model.digest if model else None
    return CoilReopened(
        line=LINE, coil=COIL, run=1, reason="dead letters replayed", model=digest, frames=frames
    )


def spot(start: float, end: float, name: object = None) -> Finding:
    return finding(box(start, end, 20, 30), name=name)


def reports(records: Sequence[CoilRecord]) -> list[CoilReport]:
    """The report of each revision, as a loop makes them: record by record, the log asked where it must be."""
    coil, made = account(), []
    for at, record in enumerate(records):
        if isinstance(record, CoilClosed) and coil.closes(record):
            if coil.stale:
                coil = recall(lambda: records[:at], account())  # noqa: B023 - called at once
            made.append(coil.report(record, RULES))
        coil.take(record)
    return made


FIRST: tuple[CoilRecord, ...] = (opened(), inspection(0, spot(10, 20)), closed(3), coil_closed())


@pytest.mark.parametrize(
    ("came", "reason", "late"),
    [
        ([inspection(1)], "1 late frame", 1),
        ([inspection(1), inspection(2), inspection(1)], "2 late frames", 2),
        ([inspection(0, digest="ff" * 16)], "1 late conflict", 0),
        ([inspection(0, along_mm=7.0)], "1 late conflict", 0),
        ([opened("left", "right")], "1 late conflict", 0),
        ([closed(4)], "1 late conflict", 0),
        ([closed(0, "right")], "1 late end of a camera", 0),
        ([reopened()], "dead letters replayed, 0 frames inspected again", 0),
        ([reopened(), unreadable(1)], "dead letters replayed, 1 frame inspected again", 0),
        (
            [inspection(1), reopened(), inspection(2), closed(0, "right")],
            "dead letters replayed, 1 frame inspected again, 1 late frame, 1 late end of a camera",
            1,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_comes_after_closing_is_the_reason_of_a_revision(
    came: list[CoilRecord], reason: str, late: int
) -> None:
    coil = account()
    for record in (*FIRST, *came):
        coil.take(record)
    assert coil.revision_due
    assert coil.close_record("idle").revision == 2
    first, second = reports([*FIRST, *came, coil_closed(2)])
    assert (first.revision, first.revisions) == (1, ())
    assert second.revision == 2
    assert [(r.revision, r.reason, r.late_frames) for r in second.revisions] == [(2, reason, late)]


@pytest.mark.parametrize(
    "again",
    [
        inspection(0, spot(10, 20)),
        inspection(0, model=OTHER),
        unreadable(0),
        opened(),
        closed(3),
        coil_closed(),
    ],
    ids=["inspection", "other model", "unreadable", "opening", "end", "closing"],
)
def test_what_was_known_before_closing_revises_nothing(again: CoilRecord) -> None:
    coil = account()
    for record in (*FIRST, again):
        coil.take(record)
    assert not coil.revision_due
    assert not coil.revision_ready
    assert coil.revision == 1


def test_revisions_are_told_in_order() -> None:
    log = [*FIRST, inspection(1), coil_closed(2), inspection(2), coil_closed(3), coil_closed(2)]
    assert [r.reason for r in reports(log)[-1].revisions] == ["1 late frame", "1 late frame"]
    assert len(reports(log)) == 3


def test_a_revision_need_not_wait_once_all_is_here() -> None:
    coil = account()
    for record in (*FIRST, inspection(1)):
        coil.take(record)
    assert not coil.revision_ready
    coil.take(inspection(2))
    assert coil.revision_ready
    coil.take(coil_closed(2))
    coil.take(inspection(3))
    assert coil.complete, "a frame beyond the camera's count"
    assert not coil.revision_ready, "nothing was missing: more like it may come"
    coil.take(coil_closed(3))
    coil.take(reopened(frames=2))
    coil.take(inspection(0))
    assert not coil.revision_ready
    coil.take(inspection(0))
    assert not coil.revision_ready
    coil.take(unreadable(1))
    assert coil.revision_ready


@pytest.mark.parametrize("first", [0, 1])
def test_a_readable_copy_takes_the_place_of_an_unreadable_one_in_any_order(first: int) -> None:
    pair: tuple[Inspection, Inspection] = (unreadable(0), inspection(0, spot(10, 20)))
    log = [opened(), pair[first], pair[1 - first], closed(1), coil_closed()]
    (report,) = reports(log)
    assert (report.cameras[0].inspected, report.cameras[0].unreadable, len(report.events)) == (1, 0, 1)
    assert report.conflicts == 0


def test_inspections_of_the_model_asked_for_take_the_place_of_others() -> None:
    log = [
        opened(),
        inspection(0, spot(10, 20), spot(60, 70)),
        inspection(1, spot(140, 150)),
        closed(2),
        coil_closed(),
        inspection(1, model=OTHER),
        reopened(OTHER, frames=2),
        inspection(0, spot(11, 19, "new"), model=OTHER),
        inspection(1, model=OTHER, digest="ff" * 16),
        coil_closed(2),
        inspection(1, spot(190, 199), model=OTHER),
        coil_closed(3),
    ]
    first, second, third = reports(log)
    assert [e.start_mm for e in first.events] == [10, 60, 140]
    assert [e.start_mm for e in second.events] == [11, 140], (
        "a frame that was not inspected again keeps its own"
    )
    assert [m.version for m in second.models] == ["1", "2"]
    assert [m.version for m in third.models] == ["2"]
    assert [e.start_mm for e in third.events] == [11, 190]
    assert second.conflicts == third.conflicts == 1
    assert {stone.into for stone in second.tombstones} == {None}
    assert len(third.tombstones) == 3


def test_an_event_that_is_absorbed_leaves_a_tombstone() -> None:
    ends = inspection(0, spot(80, 90)), inspection(2, spot(210, 220))
    bridge = inspection(1, finding(box(100, 200, 20, 30)))
    first, second = reports([opened(), *ends, closed(3), coil_closed(), bridge, coil_closed(2)])
    before = sorted(event.id for event in first.events)
    (after,) = second.events
    assert after.id == min(*before, bridge.findings[0].id)
    gone = [event for event in before if event != after.id]
    assert second.tombstones == tuple(Tombstone(id=event, into=after.id) for event in gone)
    assert first.tombstones == ()


def test_a_camera_that_only_closed_counts_what_it_sent() -> None:
    coil = account()
    for record in (opened(), inspection(0), closed(1), closed(4, "right")):
        coil.take(record)
    assert not coil.complete
    report = coil.report(coil.close_record("grace time passed"), RULES)
    right = next(c for c in report.cameras if c.band.camera == "right")
    assert (right.sent, right.inspected, right.missing, right.band.columns) == (4, 0, 4, 1)
    assert [(h.camera, h.frames, h.reason) for h in report.holes] == [
        ("left", 0, "no frame"),
        ("right", 4, "missing"),
    ]
    assert report.grade.decision != "release"


def test_a_camera_that_closed_without_a_frame_and_was_not_announced_is_nothing() -> None:
    coil = account()
    for record in (opened(), inspection(0), closed(1), closed(0, "right")):
        coil.take(record)
    assert coil.complete
    assert [c.band.camera for c in coil.report(coil.close_record("complete"), RULES).cameras] == ["left"]


RECORDS: tuple[CoilRecord, ...] = (
    inspection(0, spot(80, 100)),
    inspection(1, spot(100, 120), left_edge_mm=10.0),
    inspection(1, spot(100, 130), model=OTHER, left_edge_mm=11.0),
    inspection(1, digest="ff" * 16),
    unreadable(2),
    inspection(2, spot(205, 210), further_findings=1, further_area_mm2=0.3),
    inspection(2, model=OTHER),
    inspection(0, spot(10, 20), model=OTHER, further_findings=2, further_area_mm2=0.2),
    opened("left", "right"),
    closed(3),
    closed(0, "right"),
    reopened(),
    reopened(OTHER),
    reopened(MODEL),
    coil_closed(1),
    coil_closed(2),
    coil_closed(3),
)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(RECORDS), max_size=25), st.data())
def test_an_account_made_again_anywhere_goes_on_as_if_it_had_never_been_away(
    log: list[CoilRecord], data: st.DataObject
) -> None:
    calm = reports(log)
    assert [report.revision for report in calm] == list(range(1, len(calm) + 1))
    at = data.draw(st.integers(0, len(log)))
    coil = recall(lambda: log[:at], account())
    assert not coil.stale
    made = []
    for place, record in enumerate(log[at:], at):
        if isinstance(record, CoilClosed) and coil.closes(record):
            if coil.stale:
                coil = recall(lambda: log[:place], account())  # noqa: B023 - called at once
            made.append(coil.report(record, RULES))
        coil.take(record)
    assert [r.to_json() for r in made] == [r.to_json() for r in calm[len(calm) - len(made) :]]
