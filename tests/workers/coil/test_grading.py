from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.coil.records import (
    COIL,
    LINE,
    band,
    box,
    closed,
    events_of,
    finding,
    inspection,
    opened,
    unreadable,
)
from workers.coil.account import CoilAccount
from workers.coil.grading import CoverageRules, GradingRules
from workers.coil.records import CameraCoverage, CloseReason, DefectEvent, Grade, Hole
from workers.errors import BadSettingsError

RULES = GradingRules.load()
GOOD = """
[severity]
moderate_from_mm2 = 50.0
severe_from_mm2 = 400.0
[hold]
moderate_events = 2
severe_events = 1
[block]
severe_events = 3
[coverage]
least_share = 0.9
"""


HOLE = Hole(
    side="top", camera="left", start_mm=0, end_mm=9, frames=0, reason="no frame", detail="before frame 0"
)


def coverage(share: float = 1.0, unreadable: int = 0, missing: int = 0) -> CameraCoverage:
    return CameraCoverage(
        band=band(),
        sent=10 + unreadable + missing,
        inspected=10,
        unreadable=unreadable,
        missing=missing,
        inspected_mm=1000.0,
        share=share,
    )


def events(*areas: float) -> tuple[DefectEvent, ...]:
    account = CoilAccount(LINE, COIL, 1)
    for n, area in enumerate(areas):
        account.add(inspection(n, finding(box(n * 100, n * 100 + 40, 0, 40), area)))
    return events_of(account, RULES)


def written(path: Path, text: str) -> Path:
    file = path / "grading.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("area", "severity"),
    [
        (0.25, "minor"),
        (49.999, "minor"),
        (50, "moderate"),
        (399.999, "moderate"),
        (400, "severe"),
        (1e9, "severe"),
    ],
)
def test_severity_by_area(area: float, severity: str) -> None:
    assert RULES.severity_of(area) == severity


def test_a_class_may_have_areas_of_its_own(tmp_path: Path) -> None:
    text = GOOD + "[classes.scratch]\nmoderate_from_mm2 = 5.0\nsevere_from_mm2 = 20.0\n"
    rules = GradingRules.load(written(tmp_path, text))
    assert [rules.severity_of(area, "scratch") for area in (4, 5, 20)] == ["minor", "moderate", "severe"]
    assert [rules.severity_of(20, name) for name in ("inclusion", "unknown")] == ["minor", "minor"]
    with pytest.raises(BadSettingsError, match=r"classes\.scratch: .*above moderate_from_mm2"):
        GradingRules.load(written(tmp_path, text.replace("20.0", "5.0")))


@pytest.mark.parametrize(
    ("areas", "decision", "reason"),
    [
        ((), "release", "no defect found, everything inspected"),
        (
            (10, 60),
            "release",
            (
                "within the limits: 0 severe events (hold from 1), 1 moderate event (hold from 2), "
                "1 minor event; everything inspected"
            ),
        ),
        ((60, 60), "hold", "2 moderate events (hold from 2)"),
        ((500,), "hold", "1 severe event (hold from 1)"),
        ((500, 500, 500), "block", "3 severe events (block from 3)"),
        ((60,) * 20, "hold", "20 moderate events (hold from 2)"),
    ],
)
def test_counts_decide(tmp_path: Path, areas: tuple[float, ...], decision: str, reason: str) -> None:
    rules = GradingRules.load(written(tmp_path, GOOD))

    grade = rules.grade(events(*areas), [coverage()], "complete")

    assert grade.decision == decision
    assert grade.reasons[0] == reason


@pytest.mark.parametrize(
    ("hold", "block", "limits"),
    [
        ("severe_events = 2", "", "0 severe events (hold from 2), 1 moderate event"),
        ("", "severe_events = 3", "0 severe events (block from 3), 1 moderate event"),
        (
            "severe_events = 3\nmoderate_events = 5",
            "severe_events = 2",
            "0 severe events (block from 2), 1 m",
        ),
        ("", "", "within the limits: 1 moderate event;"),
    ],
    ids=["hold", "block", "the nearer one", "none"],
)
def test_the_limits_of_a_coil_within_them_are_named(
    tmp_path: Path, hold: str, block: str, limits: str
) -> None:
    head, _, _ = GOOD.partition("[hold]")
    text = f"{head}[hold]\n{hold}\n[block]\n{block}\n[coverage]\nleast_share = 0.9\n"
    (reason,) = GradingRules.load(written(tmp_path, text)).grade(events(60), [coverage()], "complete").reasons
    assert limits in reason


def test_what_was_inspected_stands_beside_its_limit() -> None:
    cameras = [coverage(0.99799), coverage(1.0)]
    (reason,) = RULES.grade(events(10), cameras, "complete", (HOLE,)).reasons
    assert reason.endswith(
        "1 minor event; at least 99.7% of each camera inspected (hold below 99.5%); 1 stretch without a frame"
    )


@pytest.mark.parametrize(
    ("share", "holes", "reason"),
    [
        (0.999999, (), "no defect found, everything inspected"),
        (0.9999, (), "no defect found"),
        (1.0, (HOLE.model_copy(update={"reason": "dark"}),), "no defect found"),
        (0.997, (HOLE,), "no defect found; 1 stretch without a frame"),
        (0.996, (HOLE, HOLE), "no defect found; 2 stretches without a frame"),
    ],
)
def test_everything_was_inspected_only_where_no_strip_is_left(
    share: float, holes: tuple[Hole, ...], reason: str
) -> None:
    grade = RULES.grade((), [coverage(share)], "complete", holes)

    assert (grade.decision, grade.reasons) == ("release", (reason,))


def test_a_coil_held_for_strip_without_a_frame_says_so_of_that_camera() -> None:
    other = HOLE.model_copy(update={"camera": "right"})

    grade = RULES.grade((), [coverage(0.7)], "complete", (HOLE, other))

    needed = "camera top/left: 70.0% inspected, at least 99.5% needed"
    assert grade.reasons == (f"{needed}; 1 stretch without a frame",)


def test_a_blocked_coil_says_what_else_is_wrong() -> None:
    grade = RULES.grade(events(*[500] * 20), [coverage(0.5, missing=1)], "idle")

    assert grade.decision == "block"
    assert grade.reasons == (
        "20 severe events (block from 20)",
        "20 severe events (hold from 1)",
        "closed before every camera's frames were here: idle",
        "camera top/left: 50.0% inspected, at least 99.5% needed",
        "camera top/left: 0 unreadable and 1 missing frames",
    )


@given(
    cameras=st.lists(
        st.builds(coverage, st.floats(0, 1), unreadable=st.integers(0, 2), missing=st.integers(0, 2)),
        max_size=3,
    ),
    closed_by=st.sampled_from(("complete", "grace time passed", "idle")),
    areas=st.lists(st.sampled_from((1, 100, 1000)), max_size=2),
)
def test_what_was_not_seen_is_never_released(
    cameras: list[CameraCoverage], closed_by: CloseReason, areas: list[float]
) -> None:
    seen = closed_by == "complete" and all(
        c.share >= 0.995 and c.unreadable == c.missing == 0 for c in cameras
    )

    decision = RULES.grade(events(*areas), cameras, closed_by).decision

    assert (decision == "release") == (bool(cameras) and seen and 1000 not in areas)


def graded(*, frames: int = 3, reason: CloseReason = "complete", poison: bool = False) -> Grade:
    account = CoilAccount(LINE, COIL, 1)
    account.add_opened(opened())
    account.add(unreadable(0) if poison else inspection(0))
    account.add(inspection(1))
    account.add(inspection(2))
    if reason != "idle":
        account.add_closed_camera(closed(frames))
    return account.report(account.close_record(reason), RULES).grade


def test_too_little_does_not_read_as_enough() -> None:
    rules = GradingRules.load()
    least = rules.coverage.least_share
    (reason,) = rules.grade((), [coverage(share=least - 1e-4)], "complete").reasons
    assert f"{least - 0.001:.1%} inspected, at least {least:.1%} needed" in reason


def least_share(share: float) -> GradingRules:
    return RULES.model_copy(update={"coverage": CoverageRules(least_share=share)})


@pytest.mark.parametrize(("share", "percent"), [(1.0, "100%"), (0.9996, "99.96%"), (0.9, "90%")])
def test_the_limit_of_coverage_reads_as_it_was_set(share: float, percent: str) -> None:
    few = [coverage(share=0.5)]
    (held,) = least_share(share).grade((), few, "complete").reasons
    (released,) = least_share(0.4).grade(events(1), few, "complete").reasons

    assert held == f"camera top/left: 50.0% inspected, at least {percent} needed"
    assert "(hold below 40%)" in released


@pytest.mark.parametrize("mm_per_row", [1 / 3, 0.7 / 3, 0.5])
@pytest.mark.parametrize("frames", [1, 7])
def test_a_coil_that_was_seen_whole_is_released_by_any_limit(mm_per_row: float, frames: int) -> None:
    account, length = CoilAccount(LINE, COIL, 1), 200 * mm_per_row
    account.add_opened(opened())
    for n in range(frames):
        account.add(inspection(n, along_mm=n * length, mm_per_row=mm_per_row))
    account.add_closed_camera(closed(frames, end_mm=frames * length))

    report = account.report(account.close_record("complete"), least_share(1.0))

    assert (report.grade.decision, report.holes) == ("release", ())


def test_the_grade_of_whole_coils() -> None:
    assert graded().decision == "release"
    assert graded(frames=4).decision == "hold"
    assert graded(poison=True).decision == "hold"
    assert graded(reason="idle").decision == "hold", "nobody knows what a camera that never closed still saw"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[severity", ("expected a TOML file of grading rules",)),
        ("", ("severity", "Field required")),
        (GOOD.replace("50.0", "-1.0"), ("severity.moderate_from_mm2", "greater than 0", "-1.0")),
        (GOOD.replace("400.0", "40.0"), ("severity", "expected severe_from_mm2 above moderate_from_mm2")),
        (GOOD.replace("0.9", "1.5"), ("coverage.least_share", "less than or equal to 1", "1.5")),
        (GOOD.replace("least_share", "share"), ("coverage.least_share", "Field required")),
        (GOOD + "\n[extra]\na = 1", ("extra", "not permitted")),
        (GOOD.replace("severe_events = 3", "severe_events = 0"), ("block.severe_events", "got 0")),
    ],
    ids=["no-toml", "empty", "negative", "falling", "share", "misspelt", "unknown", "zero"],
)
def test_bad_rules_are_refused_by_name(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    file = written(tmp_path, text)

    with pytest.raises(BadSettingsError) as caught:
        GradingRules.load(file)

    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    for name in names:
        assert name in str(caught.value)


def test_rules_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError, match=r"nowhere\.toml: expected a TOML file"):
        GradingRules.load(tmp_path / "nowhere.toml")
