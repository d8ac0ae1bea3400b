"""What was inspected of each camera's band, and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingest.records import CameraBand, CameraClosed
from workers.coil.records import CameraCoverage, Hole, HoleReason, MissingFrames
from workers.inspection.records import Inspection

DECIMALS = 3
SHARE_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class FrameNote:
    """All that coverage needs of a frame.

    Attributes:
        reason: why the frame was unreadable, None when it was inspected.
    """

    start_mm: float
    length_mm: float
    digest: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Gap:
    sequence: int
    start_mm: float
    end_mm: float
    reason: HoleReason
    detail: str


class CameraAccount:
    """One camera of one coil."""

    def __init__(self) -> None:
        self._notes: dict[int, FrameNote] = {}
        self._after_last = 0
        self._end_mm = 0.0
        self.band: CameraBand | None = None
        self.closed: CameraClosed | None = None
        self.unreadable = 0

    def add(self, inspection: Inspection) -> FrameNote | None:
        """Take a frame; the note of the same frame where it was known already."""
        known = self._notes.get(inspection.sequence)
        if known is not None:
            return known
        length = inspection.height * inspection.mm_per_row
        reason = (inspection.reason or "unreadable") if inspection.status == "unreadable" else None
        self._notes[inspection.sequence] = FrameNote(inspection.along_mm, length, inspection.digest, reason)
        self.unreadable += reason is not None
        self._after_last = max(self._after_last, inspection.sequence + 1)
        self._end_mm = max(self._end_mm, inspection.along_mm + length)
        if self.band is None:
            self.band = _band_of(inspection)
        return None

    @property
    def frames(self) -> int:
        """Frames that are here, read or not."""
        return len(self._notes)

    @property
    def sent(self) -> int:
        """Frames the camera handed over: what its closing says, and no fewer than the last one seen."""
        return max(self.closed.frames, self._after_last) if self.closed else self._after_last

    @property
    def end_mm(self) -> float:
        """Where the camera's last frame ends, as far as is known."""
        return max(self._end_mm, self.closed.end_mm if self.closed else 0.0)

    @property
    def complete(self) -> bool:
        """Whether the camera has closed and every frame is here."""
        return self.closed is not None and len(self._notes) == self.sent

    def missing(self) -> Iterator[tuple[int, int]]:
        """First and last sequence of each run of missing frames."""
        absent = [sequence for sequence in range(self.sent) if sequence not in self._notes]
        for _, run in groupby(enumerate(absent), key=lambda pair: pair[1] - pair[0]):
            sequences = [sequence for _, sequence in run]
            yield sequences[0], sequences[-1]

    def coverage(self, band: CameraBand, coil_length_mm: float) -> CameraCoverage:
        """The account in numbers."""
        read = [self._notes[s].length_mm for s in sorted(self._notes) if self._notes[s].reason is None]
        inspected_mm = round(sum(read), DECIMALS)
        share = min(1.0, inspected_mm / coil_length_mm) if coil_length_mm > 0 else 0.0
        return CameraCoverage(
            band=band,
            sent=self.sent,
            inspected=len(self._notes) - self.unreadable,
            unreadable=self.unreadable,
            missing=self.sent - len(self._notes),
            inspected_mm=inspected_mm,
            share=round(share, SHARE_DECIMALS),
        )

    def holes(self, band: CameraBand, coil_length_mm: float) -> list[Hole]:
        """Stretches that were not inspected, in strip order; neighbours of one cause are one hole."""
        if not self._notes and self.sent == 0:
            gap = _Gap(0, 0.0, coil_length_mm, "never started", "the camera sent no frame")
            return [_hole(band, [gap], frames=0)]
        gaps = sorted(
            [*self._missing_gaps(coil_length_mm), *self._unreadable_gaps()], key=lambda gap: gap.sequence
        )
        holes = []
        for _, run in groupby(
            enumerate(gaps), key=lambda pair: (pair[1].sequence - pair[0], *_cause(pair[1]))
        ):
            members = [gap for _, gap in run]
            holes.append(_hole(band, members, frames=len(members)))
        return holes + self._tail(band, coil_length_mm)

    def _missing_gaps(self, coil_length_mm: float) -> Iterator[_Gap]:
        known = sorted(self._notes)
        for first, last in self.missing():
            before = [s for s in known if s < first]
            after = [s for s in known if s > last]
            start = self._notes[before[-1]].start_mm + self._notes[before[-1]].length_mm if before else 0.0
            end = self._notes[after[0]].start_mm if after else max(self.end_mm, start)
            if not after and self.closed is None:
                end = coil_length_mm
            step = (end - start) / (last - first + 1)
            for number, sequence in enumerate(range(first, last + 1)):
                yield _Gap(
                    sequence, start + number * step, start + (number + 1) * step, "missing", "did not arrive"
                )

    def _unreadable_gaps(self) -> Iterator[_Gap]:
        for sequence, note in self._notes.items():
            if note.reason is not None:
                end = note.start_mm + note.length_mm
                yield _Gap(sequence, note.start_mm, end, "unreadable", note.reason)

    def _tail(self, band: CameraBand, coil_length_mm: float) -> list[Hole]:
        """What a camera that never closed may have missed after its last frame."""
        if self.closed is not None or coil_length_mm - self.end_mm <= 0:
            return []
        gap = _Gap(self.sent, self.end_mm, coil_length_mm, "missing", "the camera never closed")
        return [_hole(band, [gap], frames=0)]


def missing_frames(side: str, camera: str, account: CameraAccount) -> list[MissingFrames]:
    """The missing frames of a camera as records."""
    return [
        MissingFrames.model_validate({"side": side, "camera": camera, "first": first, "last": last})
        for first, last in account.missing()
    ]


def _cause(gap: _Gap) -> tuple[str, str]:
    return gap.reason, gap.detail


def _hole(band: CameraBand, gaps: Sequence[_Gap], frames: int) -> Hole:
    first, last = gaps[0].sequence, gaps[-1].sequence
    which = f"frame {first}" if first == last else f"frames {first} to {last}"
    return Hole(
        side=band.side,
        camera=band.camera,
        start_mm=round(gaps[0].start_mm, DECIMALS),
        end_mm=round(gaps[-1].end_mm, DECIMALS),
        frames=frames,
        reason=gaps[0].reason,
        detail=f"{which}: {gaps[0].detail}" if frames else gaps[0].detail,
    )


def _band_of(inspection: Inspection) -> CameraBand:
    """The band of a camera that the opening record did not list."""
    return CameraBand(
        side=inspection.side,
        camera=inspection.camera,
        across_mm=inspection.across_mm,
        columns=inspection.width,
        mm_per_row=inspection.mm_per_row,
        mm_per_column=inspection.mm_per_column,
    )
