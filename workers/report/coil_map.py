"""The strip unrolled: where bands, holes and events lie on the coil map, in percent of its two axes.

Along the strip runs to the right from the head, across runs down from the drive side. The two axes have
scales of their own: a coil is a hundred to a thousand times as long as it is wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.records import Side
from workers.coil.records import CameraCoverage, CoilReport, DefectEvent, Hole, Severity
from workers.report.numbers import area, metres, millimetres

ALONG_TICKS = 12
ACROSS_TICKS = 4
MARGIN_SHARE = 0.03
"""Room beside the outermost band, so that what lies at a border is not drawn on the frame."""

MARKER_PX = 13
"""Smallest marker that is easy to hit, with its border and padding."""

MARKERS_AT_EASE = 100
"""As many markers of full size fit on one side of the map without hiding it."""

SHORTEST_EXTENT_MM = 1.0
"""A coil without a single frame still has a map, an empty one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on the map: left and top border, width and height, all in percent."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Marker:
    """An event on the map: its middle and extent, its outlines as SVG points in mm, its words."""

    number: int
    severity: Severity
    place: Place
    outlines: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class HoleMark:
    """A hole on the map; its number is that of its row in the list of holes."""

    number: int
    reason: str
    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class Band:
    """One camera's band across the strip."""

    camera: str
    place: Place


@dataclass(frozen=True, slots=True)
class SideMap:
    """All that lies on one side of the strip."""

    side: Side
    bands: tuple[Band, ...]
    holes: tuple[HoleMark, ...]
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place in percent and its number."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class CoilMap:
    """The whole map.

    Attributes:
        start_mm: where the map begins: at the head, or before it where anything lies there.
        along_mm: length of strip that the map shows.
        low_mm, high_mm: borders of the map across the strip.
        strip: the strip between its edges, None where no edge was seen.
    """

    start_mm: float
    along_mm: float
    low_mm: float
    high_mm: float
    strip: Place | None
    sides: tuple[SideMap, ...]
    along_ticks: tuple[Tick, ...]
    across_ticks: tuple[Tick, ...]

    @property
    def marker_px(self) -> int:
        """Smallest side of a marker: on a crowded side smaller, or the markers hide each other."""
        crowd = max((len(side.markers) for side in self.sides), default=0)
        return round(min(max(MARKER_PX * math.sqrt(MARKERS_AT_EASE / max(crowd, 1)), 3), MARKER_PX))

    def place(self, start_mm: float, end_mm: float, left_mm: float, right_mm: float) -> Place:
        """Where a rectangle of the strip lies."""
        across = self.high_mm - self.low_mm
        return Place(
            x=round(100 * (start_mm - self.start_mm) / self.along_mm, 4),
            y=round(100 * (left_mm - self.low_mm) / across, 3),
            w=round(100 * (end_mm - start_mm) / self.along_mm, 4),
            h=round(100 * (right_mm - left_mm) / across, 3),
        )


def coil_map(report: CoilReport, events: Sequence[tuple[int, DefectEvent]]) -> CoilMap:
    """Lay out the map of a report.

    Args:
        report: whose cameras, edges and holes are drawn.
        events: the numbered events to draw, those to be drawn on top last.
    """
    start_mm, end_mm = _along_extent(report, events)
    low_mm, high_mm = _across_extent(report, events)
    empty = CoilMap(start_mm, end_mm - start_mm, low_mm, high_mm, None, (), (), ())
    strip = None
    if report.strip_left_mm is not None and report.strip_right_mm is not None:
        strip = empty.place(0, report.length_mm, report.strip_left_mm, report.strip_right_mm)
    return CoilMap(
        start_mm=start_mm,
        along_mm=empty.along_mm,
        low_mm=low_mm,
        high_mm=high_mm,
        strip=strip,
        sides=tuple(_side_map(empty, side, report, events) for side in _sides(report, events)),
        along_ticks=tuple(
            Tick(round(100 * (at - start_mm) / empty.along_mm, 3), metres(at, digits))
            for at, digits in _metre_ticks(start_mm, end_mm)
        ),
        across_ticks=tuple(
            Tick(round(100 * (at - low_mm) / (high_mm - low_mm), 3), f"{at:g}")
            for at in _ticks(low_mm, high_mm, ACROSS_TICKS)
        ),
    )


def _side_map(
    empty: CoilMap, side: Side, report: CoilReport, events: Sequence[tuple[int, DefectEvent]]
) -> SideMap:
    cameras = [camera for camera in report.cameras if camera.band.side == side]
    bands = [
        Band(
            camera.band.camera,
            empty.place(
                empty.start_mm,
                empty.start_mm + empty.along_mm,
                camera.band.across_mm,
                camera.band.right_mm,
            ),
        )
        for camera in cameras
    ]
    holes = [
        _hole_mark(empty, number, hole, cameras)
        for number, hole in enumerate(report.holes, start=1)
        if hole.side == side
    ]
    markers = [_marker(empty, number, event) for number, event in events if event.side == side]
    return SideMap(side, tuple(bands), tuple(holes), tuple(markers))


def _hole_mark(empty: CoilMap, number: int, hole: Hole, cameras: Sequence[CameraCoverage]) -> HoleMark:
    band = next((camera.band for camera in cameras if camera.band.camera == hole.camera), None)
    left_mm, right_mm = (band.across_mm, band.right_mm) if band else (empty.low_mm, empty.high_mm)
    stretch = f"{metres(hole.start_mm)} to {metres(hole.end_mm)} m"
    return HoleMark(
        number=number,
        reason=hole.reason,
        place=empty.place(hole.start_mm, hole.end_mm, left_mm, right_mm),
        label=f"Not inspected: camera {hole.camera}, {stretch}. {hole.reason}: {hole.detail}",
    )


def _marker(empty: CoilMap, number: int, event: DefectEvent) -> Marker:
    place = f"at {metres(event.start_mm)} m"
    size = f"{millimetres(event.length_mm)} x {millimetres(event.width_mm)} mm, {area(event.area_mm2)}"
    return Marker(
        number=number,
        severity=event.severity,
        place=empty.place(event.start_mm, event.end_mm, event.left_mm, event.right_mm),
        outlines=tuple(
            " ".join(f"{along:.1f},{across:.1f}" for along, across in outline) for outline in event.outlines
        ),
        label=f"Event {number}, {event.severity}, {event.defect_class}: {place}, {size}",
    )


def _sides(report: CoilReport, events: Sequence[tuple[int, DefectEvent]]) -> list[Side]:
    present = {camera.band.side for camera in report.cameras} | {event.side for _, event in events}
    sides: tuple[Side, ...] = ("top", "bottom")
    return [side for side in sides if side in present] or ["top"]


def _along_extent(report: CoilReport, events: Sequence[tuple[int, DefectEvent]]) -> tuple[float, float]:
    """First and last millimetre of the map along: the coil, and what lies before its head."""
    stretches = [(event.start_mm, event.end_mm) for _, event in events]
    stretches += [(hole.start_mm, hole.end_mm) for hole in report.holes]
    start_mm = min((start for start, _ in stretches), default=0.0)
    end_mm = max((end for _, end in stretches), default=0.0)
    return min(0.0, start_mm), max(report.length_mm, SHORTEST_EXTENT_MM, end_mm)


def _across_extent(report: CoilReport, events: Sequence[tuple[int, DefectEvent]]) -> tuple[float, float]:
    """Borders of the map across: whatever reaches furthest, and a margin."""
    borders = [report.strip_left_mm, report.strip_right_mm]
    for camera in report.cameras:
        borders += [camera.band.across_mm, camera.band.right_mm]
    for _, event in events:
        borders += [event.left_mm, event.right_mm]
    known = [border for border in borders if border is not None]
    low_mm, high_mm = min(known, default=0.0), max(known, default=0.0)
    margin = max((high_mm - low_mm) * MARGIN_SHARE, SHORTEST_EXTENT_MM)
    return low_mm - margin, high_mm + margin


def _metre_ticks(start_mm: float, end_mm: float) -> Iterator[tuple[float, int]]:
    """Ticks along the strip in mm, with the digits their numbers in metres need."""
    ticks = list(_ticks(start_mm, end_mm, ALONG_TICKS))
    step_m = (ticks[1] - ticks[0]) / 1000 if len(ticks) > 1 else 1.0
    digits = max(0, -math.floor(math.log10(step_m) + 1e-9))
    return ((tick, digits) for tick in ticks)


def _ticks(low: float, high: float, at_most: int) -> Iterator[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from low to high."""
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        yield index * step
