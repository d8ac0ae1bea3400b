"""The state of one coil: fed with records in any order, asked for counts, closing and report."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ingest.records import CameraBand, CameraClosed, CoilOpened, Side
from workers.coil.coverage import CameraAccount, missing_frames
from workers.coil.grading import GradingRules
from workers.coil.joining import Group, Joiner, JoiningSettings, union_area_mm2
from workers.coil.records import CloseReason, CoilClosed, CoilReport, DefectEvent, MissingFrames
from workers.coil.strip_edges import EdgeSightings, Sighting, nearest_edge_mm, typical_edge_mm
from workers.errors import WrongCoilError
from workers.inspection.records import Inspection, ModelIdentity

DECIMALS = 3
SHARE_DECIMALS = 6
CameraKey = tuple[Side, str]
MISSING_RUNS = 1_000
"""Gaps that a closing record names: with tens of thousands it would be too large for its topic. The report
counts them itself."""


@dataclass(frozen=True, slots=True)
class CoilCounts:
    """How far a coil has come, for the live view.

    Attributes:
        sent: frames that the cameras are known to have handed over.
        duplicates: records that came again with equal content and were ignored.
        conflicts: records that came again with other content; the first one counts.
        length_mm: strip seen so far.
    """

    sent: int
    inspected: int
    unreadable: int
    findings: int
    events: int
    duplicates: int
    conflicts: int
    length_mm: float


class CoilAccount:
    """Accounts for one run of one coil on one line.

    Args:
        joining: how far apart the findings of one defect may lie.
    """

    def __init__(self, line: str, coil: str, run: int, *, joining: JoiningSettings | None = None) -> None:
        self.line = line
        self.coil = coil
        self.run = run
        self.opened = False
        self._cameras: dict[CameraKey, CameraAccount] = defaultdict(CameraAccount)
        self._joiner = Joiner(joining)
        self._left_edges: dict[Side, EdgeSightings] = defaultdict(EdgeSightings)
        self._right_edges: dict[Side, EdgeSightings] = defaultdict(EdgeSightings)
        self._models: set[ModelIdentity] = set()
        self._duplicates = self._conflicts = self._further_findings = 0
        self._further_areas: list[float] = []
        self._length_mm = 0.0

    def add_opened(self, record: CoilOpened) -> bool:
        """Take the opening record; False where it was known."""
        self._check(record)
        if self.opened:
            return False
        self.opened = True
        for band in record.cameras:
            self._cameras[band.side, band.camera].announced = band
        return True

    def add_closed_camera(self, record: CameraClosed) -> bool:
        """Take a camera's closing record; False where it was known."""
        self._check(record)
        camera = self._cameras[record.side, record.camera]
        if camera.closed is not None:
            return False
        camera.closed = record
        self._length_mm = max(self._length_mm, record.end_mm)
        return True

    def add(self, record: Inspection) -> bool:
        """Take an inspection; False where that frame was known (a duplicate or a conflict)."""
        self._check(record)
        known = self._cameras[record.side, record.camera].add(record)
        if known is not None:
            equal = known.digest == bytes.fromhex(record.digest)
            self._duplicates += equal
            self._conflicts += not equal
            return False
        self._joiner.add(record)
        self._note_edges(record)
        self._length_mm = max(self._length_mm, record.along_mm + record.height * record.mm_per_row)
        if record.model is not None:
            self._models.add(record.model)
        if record.further_findings:
            self._further_findings += record.further_findings
            self._further_areas.append(record.further_area_mm2)
        return True

    @property
    def cameras_closed(self) -> bool:
        """Whether every camera that was announced or has spoken has closed."""
        return self.opened and all(camera.closed is not None for camera in self._cameras.values())

    @property
    def complete(self) -> bool:
        """Whether every camera has closed and every frame it sent is here."""
        return self.opened and all(camera.complete for camera in self._cameras.values())

    @property
    def counts(self) -> CoilCounts:
        """How far the coil has come."""
        cameras = self._cameras.values()
        unreadable = sum(camera.unreadable for camera in cameras)
        return CoilCounts(
            sent=sum(camera.sent for camera in cameras),
            inspected=sum(camera.frames for camera in cameras) - unreadable,
            unreadable=unreadable,
            findings=self._joiner.findings,
            events=self._joiner.events,
            duplicates=self._duplicates,
            conflicts=self._conflicts,
            length_mm=self._length_mm,
        )

    def missing(self) -> tuple[MissingFrames, ...]:
        """Runs of frames that were sent and are not here."""
        return tuple(
            missing
            for side, camera in sorted(self._cameras)
            for missing in missing_frames(side, camera, self._cameras[side, camera])
        )

    def events(self, rules: GradingRules) -> tuple[DefectEvent, ...]:
        """Defect events so far, ordered by side, start, left and id."""
        left = {side: edge.in_order() for side, edge in self._left_edges.items()}
        right = {side: edge.in_order() for side, edge in self._right_edges.items()}
        events = (_event(group, rules, left, right) for group in self._joiner.groups())
        return tuple(sorted(events, key=lambda e: (e.side, e.start_mm, e.left_mm, e.id)))

    def close_record(self, reason: CloseReason) -> CoilClosed:
        """The record that closes the coil as it is now; of very many gaps it names the first ones."""
        return CoilClosed(
            line=self.line, coil=self.coil, run=self.run, reason=reason, missing=self.missing()[:MISSING_RUNS]
        )

    def report(self, closed: CoilClosed, rules: GradingRules) -> CoilReport:
        """The coil report: a function of the set of records taken."""
        self._check(closed)
        cameras = sorted(((c.band, c) for c in self._cameras.values() if c.band is not None), key=_across)
        length = round(self._length_mm, DECIMALS)
        coverage = tuple(camera.coverage(band, length) for band, camera in cameras)
        share = sum(camera.share for camera in coverage) / len(coverage) if coverage else 0.0
        events = self.events(rules)
        return CoilReport(
            line=self.line,
            coil=self.coil,
            run=self.run,
            closed=closed.reason,
            length_mm=length,
            strip_left_mm=typical_edge_mm(self._left_edges.values()),
            strip_right_mm=typical_edge_mm(self._right_edges.values()),
            grade=rules.grade(events, coverage, closed.reason),
            models=tuple(sorted(self._models, key=lambda m: (m.name, m.version, m.digest))),
            coverage_share=round(share, SHARE_DECIMALS),
            cameras=coverage,
            holes=tuple(hole for band, camera in cameras for hole in camera.holes(band, length)),
            events=events,
            conflicts=self._conflicts,
            further_findings=self._further_findings,
            further_area_mm2=round(sum(sorted(self._further_areas)), DECIMALS),
        )

    def _note_edges(self, record: Inspection) -> None:
        centre = record.along_mm + record.height * record.mm_per_row / 2
        if record.left_edge_mm is not None:
            self._left_edges[record.side].add(centre, record.left_edge_mm)
        if record.right_edge_mm is not None:
            self._right_edges[record.side].add(centre, record.right_edge_mm)

    def _check(self, record: CoilOpened | CameraClosed | Inspection | CoilClosed) -> None:
        came = (record.line, record.coil, record.run)
        if came != (self.line, self.coil, self.run):
            expected = f"{self.line}/{self.coil} run {self.run}"
            raise WrongCoilError(
                f"expected a record of {expected}, got one of {came[0]}/{came[1]} run {came[2]}"
            )


Edges = dict[Side, list[Sighting]]


def _event(group: Group, rules: GradingRules, left_edges: Edges, right_edges: Edges) -> DefectEvent:
    findings = group.findings
    side = findings[0].side
    start, end = min(f.start_mm for f in findings), max(f.end_mm for f in findings)
    left, right = min(f.left_mm for f in findings), max(f.right_mm for f in findings)
    area = union_area_mm2(findings)
    left_edge = nearest_edge_mm(left_edges.get(side, []), (start + end) / 2)
    right_edge = nearest_edge_mm(right_edges.get(side, []), (start + end) / 2)
    return DefectEvent(
        id=findings[0].id,
        side=side,
        severity=rules.severity_of(area),
        start_mm=start,
        end_mm=end,
        left_mm=left,
        right_mm=right,
        area_mm2=area,
        score=max(f.score for f in findings),
        from_left_edge_mm=None if left_edge is None else round(left - left_edge, DECIMALS),
        from_right_edge_mm=None if right_edge is None else round(right_edge - right, DECIMALS),
        findings=len(findings),
        frames=len({(f.camera, f.sequence) for f in findings}),
        cameras=tuple(sorted({f.camera for f in findings})),
        outlines=tuple(f.points for f in findings),
        thumbnail=group.thumbnail,
    )


def _across(pair: tuple[CameraBand, CameraAccount]) -> tuple[str, float, str]:
    band = pair[0]
    return band.side, band.across_mm, band.camera
