"""What a coil amounts to: defect events, coverage, the closing record and the coil report.

What is summed up or measured from one position to another has no bounds: those are for what comes in, and a
report that could not be made of valid records would end its worker again and again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ingest.records import CameraBand, Digest, Identifier, Millimetres, Record, Run, Side
from workers.inspection.records import UNKNOWN, DefectClass, ModelIdentity, PointMm, Share

Decision = Literal["release", "hold", "block"]
Severity = Literal["minor", "moderate", "severe"]
HoleReason = Literal["missing", "unreadable", "dark", "never started", "no frame"]
CameraKey = tuple[Side, str]
"""Side and id of a camera, which are its own on a line."""
CloseReason = Literal["complete", "grace time passed", "idle"]


class MissingFrames(Record):
    """Frames of one camera that never arrived: sequences first to last, both included."""

    side: Side
    camera: Identifier
    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]


class CoilClosed(Record):
    """The decision that a coil has ended, with what is missing; the report is made from the log up to it.

    Whatever comes after it leads to another one, with the next revision. One whose revision is closed
    already (a worker that rebuilt had not read on to it when it decided) says nothing.
    """

    schema_version: Literal[1] = 1
    kind: Literal["coil-closed"] = "coil-closed"
    line: Identifier
    coil: Identifier
    run: Run
    revision: Annotated[int, Field(ge=1)] = 1
    reason: CloseReason
    missing: tuple[MissingFrames, ...] = ()


class CoilReopened(Record):
    """A request to inspect frames of a coil again and to revise its report.

    Whoever replays dead letters or inspects a coil with another model appends it to the inspections topic
    under the coil's key, and sends the frames (or their inspections) only after it is acknowledged: what
    counts is its place in the log. From there on:

    * An inspection of a frame that was unreadable takes its place (it would without this record, too).
    * With `model`, an inspection made by that model takes the place of one made by another. Frames that are
      not inspected again, or that cannot be read this time, keep the result they have.
    * A frame with other pixels, or at another place, is a conflict as ever: the first one counts.
    * The coil closes again, with the next revision and this reason in its report, as soon as `frames`
      distinct frames have been heard of, or when the grace time has passed without a record of the coil.
      A revision is made even if nothing changed.

    For a coil that has not closed yet there is nothing to revise: only what takes the place of what.

    Attributes:
        reason: one line for the report.
        model: digest of the model whose inspections replace others (`ModelIdentity.digest`).
        frames: how many frames are inspected again, None where that is not known.
    """

    schema_version: Literal[1] = 1
    kind: Literal["coil-reopened"] = "coil-reopened"
    line: Identifier
    coil: Identifier
    run: Run
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    model: Digest | None = None
    frames: Annotated[int, Field(ge=1)] | None = None


class DefectEvent(Record):
    """One physical defect: findings joined across frames and cameras.

    Attributes:
        id: the smallest id among its findings.
        area_mm2: area of the union of its findings; overlap of cameras counts once.
        score: highest score of its findings.
        defect_class: the class with the greatest area among its findings, unknown ones counted.
        class_confidence: mean by area of the findings of that class; None where no classifier looked.
        from_left_edge_mm, from_right_edge_mm: least distance of its findings to the strip's edges beside
            them, None where no edge was seen.
        outlines: the outlines of its findings, (along_mm, across_mm) pairs, ordered by finding id.
        thumbnail: of its largest finding, JPEG in base64.
    """

    id: Digest
    side: Side
    severity: Severity
    defect_class: DefectClass = UNKNOWN
    class_confidence: Share | None = None
    start_mm: Millimetres
    end_mm: Millimetres
    left_mm: Millimetres
    right_mm: Millimetres
    area_mm2: float
    score: Share
    from_left_edge_mm: float | None
    from_right_edge_mm: float | None
    findings: int
    frames: int
    cameras: tuple[str, ...]
    outlines: tuple[tuple[PointMm, ...], ...]
    thumbnail: str

    @property
    def length_mm(self) -> float:
        """Extent along the strip."""
        return self.end_mm - self.start_mm

    @property
    def width_mm(self) -> float:
        """Extent across the strip."""
        return self.right_mm - self.left_mm


class Hole(Record):
    """A stretch of a camera's band that was not inspected, with its reason.

    Attributes:
        frames: that were lost there; 0 where none was sent.
    """

    side: Side
    camera: Identifier
    start_mm: Millimetres
    end_mm: Millimetres
    frames: int
    reason: HoleReason
    detail: str


class CameraCoverage(Record):
    """The account of one camera: sent = inspected + unreadable + missing.

    Attributes:
        dark: of those inspected, frames that show no strip where it should be.
        inspected_mm: length of strip that was seen, without dark frames.
        share: that of the coil's length.
    """

    band: CameraBand
    sent: int
    inspected: int
    unreadable: int
    missing: int
    dark: int = 0
    inspected_mm: float
    share: Share


class Grade(Record):
    """What the rules say of the coil, with each reason in one line."""

    decision: Decision
    reasons: tuple[str, ...]


class Revision(Record):
    """Why a report was made again after the coil had closed.

    Attributes:
        reason: one line, with the counts.
        late_frames: frames that came after the closing before this one.
        inspected_again: frames that were inspected again on request, and whose result is another one now.
    """

    revision: Annotated[int, Field(ge=2)]
    reason: str
    late_frames: Annotated[int, Field(ge=0)]
    inspected_again: Annotated[int, Field(ge=0)]


class Tombstone(Record):
    """An event of an earlier revision that is none any more.

    Attributes:
        into: the event that has its findings now; None where they are gone.
    """

    id: Digest
    into: Digest | None


class CoilReport(Record):
    """Everything a quality engineer needs to release, hold or block a coil.

    A function of the inspection records alone: no wall-clock time, nothing about transport.

    Attributes:
        revisions: what came after the first closing, empty in the first report.
        conflicts: records that came again with other content (a frame with other pixels or at another place,
            an opening with other cameras, a camera's end with another count); the first one counts.
    """

    schema_version: Literal[1] = 1
    line: Identifier
    coil: Identifier
    run: Run
    revision: Annotated[int, Field(ge=1)] = 1
    revisions: tuple[Revision, ...] = ()
    closed: CloseReason
    length_mm: Millimetres
    strip_left_mm: Millimetres | None
    strip_right_mm: Millimetres | None
    grade: Grade
    models: tuple[ModelIdentity, ...]
    coverage_share: Share
    cameras: tuple[CameraCoverage, ...]
    holes: tuple[Hole, ...]
    events: tuple[DefectEvent, ...]
    tombstones: tuple[Tombstone, ...] = ()
    conflicts: int
    further_findings: int
    further_area_mm2: float
