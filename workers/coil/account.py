"""The state of one coil: fed with records in any order, asked for counts, closing and report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.records import CameraBand, CameraClosed, CoilOpened
from workers.coil.coverage import CameraAccount, missing_frames
from workers.coil.dark_frames import Outlook
from workers.coil.events import defect_events
from workers.coil.frame_notes import Verdict
from workers.coil.grading import GradingRules
from workers.coil.joining import Joiner, JoiningSettings
from workers.coil.records import (
    CameraKey,
    CloseReason,
    CoilClosed,
    CoilReopened,
    CoilReport,
    MissingFrames,
)
from workers.coil.revisions import Revisions
from workers.coil.strip_edges import EdgeSightings, in_order, typical_edge_mm
from workers.errors import WrongCoilError
from workers.inspection.records import Inspection, ModelIdentity

DECIMALS = 3
SHARE_DECIMALS = 6
CoilRecord = CoilOpened | CameraClosed | Inspection | CoilReopened | CoilClosed
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
        late_frames: frames that came after the coil had closed.
        length_mm: strip seen so far.
    """

    sent: int
    inspected: int
    unreadable: int
    findings: int
    events: int
    duplicates: int
    conflicts: int
    late_frames: int
    length_mm: float


class CoilAccount:
    """Accounts for one run of one coil on one line.

    Args:
        joining: how far apart the findings of one defect may lie.

    Attributes:
        stale: an inspection has taken the place of another model's, whose findings are in here still. Only
            `renewed` gives an account that can be reported.
    """

    def __init__(self, line: str, coil: str, run: int, *, joining: JoiningSettings | None = None) -> None:
        self.line = line
        self.coil = coil
        self.run = run
        self.stale = False
        self._opening: CoilOpened | None = None
        self._joining = joining
        self._revisions = Revisions()
        self._cameras: dict[CameraKey, CameraAccount] = defaultdict(CameraAccount)
        self._joiner = Joiner(joining)
        self._left_edges: dict[CameraKey, EdgeSightings] = defaultdict(EdgeSightings)
        self._right_edges: dict[CameraKey, EdgeSightings] = defaultdict(EdgeSightings)
        self._models: set[ModelIdentity] = set()
        self._duplicates = self._conflicts = self._further_findings = 0
        self._further_areas: list[float] = []
        self._length_mm = 0.0

    def take(self, record: CoilRecord) -> Verdict | None:
        """Take any record of the coil; what an inspection is beside those before it."""
        if isinstance(record, Inspection):
            return self.add(record)
        if isinstance(record, CoilOpened):
            self.add_opened(record)
        elif isinstance(record, CameraClosed):
            self.add_closed_camera(record)
        elif isinstance(record, CoilReopened):
            self.reopen(record)
        else:
            self.close(record)
        return None

    def add_opened(self, record: CoilOpened) -> bool:
        """Take the opening record; False where it was known."""
        self._check(record)
        if self._opening is not None:
            self._count_again(equal=record == self._opening)
            return False
        self._opening = record
        for band in record.cameras:
            self._cameras[band.side, band.camera].announced = band
        return True

    def add_closed_camera(self, record: CameraClosed) -> bool:
        """Take a camera's closing record; False where it was known."""
        self._check(record)
        camera = self._cameras[record.side, record.camera]
        if camera.closed is not None:
            self._count_again(equal=record == camera.closed)
            return False
        camera.closed = record
        self._length_mm = max(self._length_mm, record.end_mm)
        self._revisions.add_end()
        return True

    def add(self, record: Inspection) -> Verdict:
        """Take an inspection, and say what it is beside those of the same frame before it."""
        self._check(record)
        camera = self._cameras[record.side, record.camera]
        verdict = camera.add(record, self._revisions.preferred_model)
        self._revisions.add_frame(record, verdict)
        self._duplicates += verdict is Verdict.DUPLICATE
        self._conflicts += verdict is Verdict.CONFLICT
        if verdict is Verdict.REPLACES:
            self.stale = True
        elif verdict in (Verdict.NEW, Verdict.READ):
            self._add_content(record)
        return verdict

    def reopen(self, request: CoilReopened) -> None:
        """Take a request to inspect frames again."""
        self._check(request)
        self._revisions.reopen(request)

    def close(self, closed: CoilClosed) -> bool:
        """Take the coil's closing; False where that revision has closed before.

        The report of that revision is asked for before.
        """
        if not self.closes(closed):
            return False
        self._revisions.close(self.complete, (group.findings[0].id for group in self._joiner.groups()))
        return True

    def closes(self, closed: CoilClosed) -> bool:
        """Whether a closing record closes the revision that is open."""
        self._check(closed)
        return closed.revision == self._revisions.closed + 1

    def renewed(self, inspections: Iterable[Inspection]) -> CoilAccount:
        """The same account with the content of these inspections alone.

        Args:
            inspections: of each frame the one that counts.
        """
        fresh = CoilAccount(self.line, self.coil, self.run, joining=self._joining)
        fresh._opening = self._opening
        for key, camera in self._cameras.items():
            fresh._cameras[key].announced, fresh._cameras[key].closed = camera.announced, camera.closed
            fresh._length_mm = max(fresh._length_mm, camera.closed.end_mm if camera.closed else 0.0)
        for inspection in inspections:
            fresh.add(inspection)
        fresh._revisions = self._revisions
        fresh._duplicates, fresh._conflicts = self._duplicates, self._conflicts
        return fresh

    def _add_content(self, record: Inspection) -> None:
        self._joiner.add(record)
        self._note_edges(record)
        self._length_mm = max(self._length_mm, record.along_mm + record.height * record.mm_per_row)
        if record.model is not None:
            self._models.add(record.model)
        if record.further_findings:
            self._further_findings += record.further_findings
            self._further_areas.append(record.further_area_mm2)

    def _count_again(self, *, equal: bool) -> None:
        """Count an opening or an end that came again: by publishers that tried twice, or by two of them."""
        if not equal:
            self._conflicts += 1
            self._revisions.add_conflict()

    @property
    def opened(self) -> bool:
        """Whether the opening record is here."""
        return self._opening is not None

    @property
    def revision(self) -> int:
        """The last revision that closed, 0 before the first closing."""
        return self._revisions.closed

    @property
    def revision_due(self) -> bool:
        """Whether anything came since the last closing that another revision must tell."""
        return self._revisions.due

    @property
    def revision_asked_for(self) -> bool:
        """Whether frames are inspected again on request."""
        return self._revisions.asked_for

    @property
    def revision_ready(self) -> bool:
        """Whether another revision need not wait for more."""
        return self._revisions.ready(self.complete)

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
            late_frames=self._revisions.late_frames,
            length_mm=self._length_mm,
        )

    def missing(self) -> tuple[MissingFrames, ...]:
        """Runs of frames that were sent and are not here."""
        return tuple(
            missing
            for side, camera in sorted(self._cameras)
            for missing in missing_frames(side, camera, self._cameras[side, camera])
        )

    def close_record(self, reason: CloseReason) -> CoilClosed:
        """The record that closes the coil as it is now; of very many gaps it names the first ones."""
        return CoilClosed(
            line=self.line,
            coil=self.coil,
            run=self.run,
            revision=self._revisions.closed + 1,
            reason=reason,
            missing=self.missing()[:MISSING_RUNS],
        )

    def report(self, closed: CoilClosed, rules: GradingRules) -> CoilReport:
        """The coil report: a function of the set of records taken."""
        self._check(closed)
        cameras = sorted(((c.band, c) for c in self._cameras.values() if c.band is not None), key=_across)
        length = round(self._length_mm, DECIMALS)
        seen = [(band, camera, self._outlook(band, camera)) for band, camera in cameras]
        coverage = tuple(camera.coverage(band, length, outlook) for band, camera, outlook in seen)
        holes = tuple(hole for band, camera, outlook in seen for hole in camera.holes(band, length, outlook))
        share = sum(camera.share for camera in coverage) / len(coverage) if coverage else 0.0
        groups = self._joiner.groups()
        events = defect_events(groups, rules, self._left_edges, self._right_edges)
        # The last frame may have come while the coil was being closed without it.
        reason: CloseReason = "complete" if self.complete else closed.reason
        event_of = {finding.id: group.findings[0].id for group in groups for finding in group.findings}
        return CoilReport(
            line=self.line,
            coil=self.coil,
            run=self.run,
            revision=closed.revision,
            revisions=self._revisions.history(),
            closed=reason,
            length_mm=length,
            strip_left_mm=typical_edge_mm(self._left_edges.values()),
            strip_right_mm=typical_edge_mm(self._right_edges.values()),
            grade=rules.grade(events, coverage, reason, holes),
            models=tuple(sorted(self._models, key=_by_name)),
            coverage_share=round(share, SHARE_DECIMALS),
            cameras=coverage,
            holes=holes,
            events=events,
            tombstones=self._revisions.tombstones(event_of),
            conflicts=self._conflicts,
            further_findings=self._further_findings,
            further_area_mm2=round(sum(sorted(self._further_areas)), DECIMALS),
        )

    def _outlook(self, band: CameraBand, camera: CameraAccount) -> Outlook | None:
        """What other cameras say of the strip in this one's band, where it may stand beside the strip."""
        if not camera.stands_beside_strip:
            return None
        left, right = (
            [in_order([s]) for key, s in edges.items() if key[0] == band.side and key[1] != band.camera]
            for edges in (self._left_edges, self._right_edges)
        )
        return Outlook(band, left, right)

    def _note_edges(self, record: Inspection) -> None:
        if record.strip_mm <= 0:
            return
        length = record.height * record.mm_per_row
        centre = record.along_mm + length / 2
        camera = record.side, record.camera
        if record.left_edge_mm is not None:
            self._left_edges[camera].add(centre, record.left_edge_mm, length)
        if record.right_edge_mm is not None:
            self._right_edges[camera].add(centre, record.right_edge_mm, length)

    def _check(self, record: CoilRecord) -> None:
        came = (record.line, record.coil, record.run)
        if came != (self.line, self.coil, self.run):
            expected = f"{self.line}/{self.coil} run {self.run}"
            raise WrongCoilError(
                f"expected a record of {expected}, got one of {came[0]}/{came[1]} run {came[2]}"
            )


def _by_name(model: ModelIdentity) -> tuple[str, ...]:
    # A digest covers no names: weights that were renamed in mid-coil differ by those alone.
    return model.name, model.version, model.digest, model.classifier or ""


def _across(pair: tuple[CameraBand, CameraAccount]) -> tuple[str, float, str]:
    band = pair[0]
    return band.side, band.across_mm, band.camera
