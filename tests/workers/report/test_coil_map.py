from __future__ import annotations

import pytest

from tests.workers.report import example
from workers.report.coil_map import Place, coil_map
from workers.report.event_order import numbered_events
from workers.report.html_report import html_report


def test_an_event_lies_where_it_is_on_the_strip() -> None:
    report = example.report(example.event(6_000, 450, 1_200, 60))
    chart = coil_map(report, numbered_events(report))
    (marker,) = chart.sides[0].markers
    across = chart.high_mm - chart.low_mm
    assert marker.place.x == pytest.approx(25)
    assert marker.place.w == pytest.approx(5)
    assert marker.place.y == pytest.approx(100 * (450 - chart.low_mm) / across, abs=0.01)
    assert marker.place.h == pytest.approx(100 * 60 / across, abs=0.01)
    assert marker.outlines == ("6000.0,450.0 7200.0,450.0 7200.0,510.0 6000.0,510.0",)


def test_a_hole_covers_the_band_of_its_camera() -> None:
    chart = coil_map(example.report(), ())
    side = chart.sides[0]
    first_band, hole = side.bands[0].place, side.holes[0]
    assert (hole.place.y, hole.place.h) == (first_band.y, first_band.h)
    assert hole.place.x == pytest.approx(100 * 6_400 / 24_000, abs=0.001)
    assert "frames 25 to 26 never arrived" in hole.label


def test_what_lies_before_the_head_is_on_the_map() -> None:
    hole = example.report().holes[0].model_copy(update={"start_mm": -6_000.0, "end_mm": -5_500.0})
    report = example.report(example.event(-3_000, 450, 1_200), example.event(6_000, 450), holes=(hole,))

    chart = coil_map(report, numbered_events(report))

    assert (chart.start_mm, chart.along_mm) == (-6_000, 30_000)
    (before, behind), (gap,) = chart.sides[0].markers, chart.sides[0].holes
    assert (gap.place.x, before.place.x, before.place.w, behind.place.x) == (0, 10, 4, 40)
    assert chart.strip is not None
    assert (chart.strip.x, chart.strip.w) == (20, 80)
    assert {tick.label: tick.at for tick in chart.along_ticks}["0"] == 20
    page = html_report(report)
    assert 'data-start-mm="-6000.0" data-along-mm="30000.0"' in page
    assert 'viewBox="-6000.0 ' in page


def test_both_sides_share_one_scale() -> None:
    report = example.report(example.event(10, 100), example.event(10, 100, side="bottom"))
    chart = coil_map(report, numbered_events(report))
    top, bottom = chart.sides
    assert (top.side, bottom.side) == ("top", "bottom")
    assert top.markers[0].place == bottom.markers[0].place


@pytest.mark.parametrize(
    ("length_mm", "labels"),
    [
        (24_000, ["0", "2", "4", "6", "8", "10", "12", "14", "16", "18", "20", "22", "24"]),
        (3_000, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]),
        (860_000, ["0", "100", "200", "300", "400", "500", "600", "700", "800"]),
    ],
)
def test_ticks_are_round_metres(length_mm: float, labels: list[str]) -> None:
    chart = coil_map(example.report(length_mm=length_mm, holes=()), ())
    assert [tick.label for tick in chart.along_ticks] == labels
    assert all(0 <= tick.at <= 100 for tick in (*chart.along_ticks, *chart.across_ticks))


def test_a_coil_without_frames_has_an_empty_map() -> None:
    report = example.report(length_mm=0, cameras=(), holes=(), strip_left_mm=None, strip_right_mm=None)
    chart = coil_map(report, ())
    assert chart.strip is None
    assert chart.along_mm > 0
    assert chart.high_mm > chart.low_mm
    assert chart.place(0, chart.along_mm, chart.low_mm, chart.high_mm) == Place(0, 0, 100, 100)


def test_markers_shrink_on_a_crowded_map() -> None:
    few = example.report(*(example.event(100 * at, 100) for at in range(10)))
    many = example.report(*(example.event(10 * at, 100) for at in range(900)))
    assert coil_map(few, numbered_events(few)).marker_px == 13
    assert coil_map(many, numbered_events(many)).marker_px == 4
