"""What was inspected of each camera's band, and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from statistics import median_low

from ingest.records import CameraBand, CameraClosed, Side
from workers.coil.dark_frames import WIDEST_SLIVER_MM, Outlook
from workers.coil.frame_notes import FrameNote, Verdict, note_of, verdict_beside
from workers.coil.records import CameraCoverage, Hole, HoleReason, MissingFrames
from workers.inspection.records import Inspection

DECIMALS = 3
DARK_DETAIL = "no strip to be seen"
SHARE_DECIMALS = 6
LEAST_GAP_MM = 5.0
"""Less strip between frames is no hole: encoder pulses and rounding put frames some rows apart. Larger, and
defects hide in it; smaller, and a trembling encoder fills the report. The share counts it all the same."""


@dataclass(frozen=True, slots=True)
class _Gap:
    """Frames first to last, both included, that were not inspected, and why."""

    first: int
    last: int
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
        self._first_seen: tuple[int, CameraBand] | None = None
        self.announced: CameraBand | None = None
        self.closed: CameraClosed | None = None
        self.unreadable = 0

    def add(self, inspection: Inspection, preferred_model: str | None = None) -> Verdict:
        """Take a frame, and say what it is beside what was known of it.

        Args:
            preferred_model: digest of the model whose inspections take the place of others.
        """
        sequence = inspection.sequence
        note = note_of(inspection)
        known = self._notes.get(sequence)
        verdict = Verdict.NEW if known is None else verdict_beside(known, note, preferred_model)
        if verdict in (Verdict.DUPLICATE, Verdict.CONFLICT):
            return verdict
        self._notes[sequence] = note
        self.unreadable += (note.reason is not None) - (known is not None and known.reason is not None)
        self._after_last = max(self._after_last, sequence + 1)
        self._end_mm = max(self._end_mm, note.end_mm)
        if self._first_seen is None or sequence < self._first_seen[0]:
            self._first_seen = sequence, _band_of(inspection)
        return verdict

    @property
    def band(self) -> CameraBand | None:
        """The band as the coil's opening announced it, else that of the first frame that is here.

        Of a camera that was not announced, and none of whose frames are here, only its end is known: a band
        of one column stands for it. None where it did not send a frame either.
        """
        if self.announced is not None:
            return self.announced
        if self._first_seen:
            return self._first_seen[1]
        return _unknown_band(self.closed) if self.closed and self.closed.frames else None

    @property
    def frames(self) -> int:
        """Frames that are here, read or not."""
        return len(self._notes)

    @property
    def stands_beside_strip(self) -> bool:
        """Whether some of its frames show no strip, and the others mostly but a sliver of it."""
        notes = [note for note in self._notes.values() if note.reason is None]
        lit = [note.strip_mm for note in notes if not note.shows_no_strip]
        return len(lit) < len(notes) and (not lit or median_low(lit) <= WIDEST_SLIVER_MM)

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
        expected = 0
        for sequence in [*sorted(self._notes), self.sent]:
            if sequence > expected:
                yield expected, sequence - 1
            expected = sequence + 1

    def coverage(
        self, band: CameraBand, coil_length_mm: float, outlook: Outlook | None = None
    ) -> CameraCoverage:
        """The account in numbers.

        Args:
            band: of this camera.
            coil_length_mm: strip that any camera has seen.
            outlook: where frames without strip are as they should be; nowhere without one.
        """
        inspected_mm = self._inspected_mm(outlook)
        share = min(1.0, inspected_mm / coil_length_mm) if coil_length_mm > 0 else 0.0
        return CameraCoverage(
            band=band,
            sent=self.sent,
            inspected=len(self._notes) - self.unreadable,
            unreadable=self.unreadable,
            missing=self.sent - len(self._notes),
            dark=sum(_is_dark(note, outlook) for note in self._notes.values()),
            inspected_mm=round(inspected_mm, DECIMALS),
            share=round(share, SHARE_DECIMALS),
        )

    def holes(self, band: CameraBand, coil_length_mm: float, outlook: Outlook | None = None) -> list[Hole]:
        """Stretches that were not inspected, in strip order; neighbours of one cause are one hole.

        Arguments as of `coverage`.
        """
        if self.sent == 0:
            gap = _Gap(0, 0, 0.0, coil_length_mm, "never started", "the camera sent no frame")
            return [_hole(band, gap, frames=0)]
        missing = list(self._missing_gaps())
        lost = [(gap, gap.last - gap.first + 1) for gap in (*missing, *self._unseen_gaps(outlook))]
        frameless = [(gap, 0) for gap in self._frameless_gaps(missing, coil_length_mm)]
        gaps = sorted([*frameless, *lost], key=lambda pair: pair[0].first)
        return [_hole(band, gap, frames) for gap, frames in gaps] + self._tail(band, coil_length_mm)

    def _inspected_mm(self, outlook: Outlook | None) -> float:
        """Length of strip that was inspected; where frames overlap it counts once.

        What lies before the head is no strip of the coil. Nothing lies behind its end: a coil is as long as
        its frames reach.
        """
        read = sorted(
            (note.start_mm, note.end_mm) for note in self._notes.values() if _unseen(note, outlook) is None
        )
        total, reached = 0.0, 0.0
        for start, end in read:
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return total

    def _missing_gaps(self) -> Iterator[_Gap]:
        for first, last in self.missing():
            before, after = self._notes.get(first - 1), self._notes.get(last + 1)
            start = before.end_mm if before else 0.0
            end = after.start_mm if after else self.end_mm
            yield from self._by_cause(_Gap(first, last, start, max(start, end), "missing", "did not arrive"))

    def _by_cause(self, gap: _Gap) -> Iterator[_Gap]:
        """A gap cut where frames were dropped at the edge; the parts share its length by frames."""
        mm_per_frame = (gap.end_mm - gap.start_mm) / (gap.last - gap.first + 1)

        def part(first: int, last: int, detail: str) -> _Gap:
            start = gap.start_mm + (first - gap.first) * mm_per_frame
            end = gap.end_mm if last == gap.last else gap.start_mm + (last + 1 - gap.first) * mm_per_frame
            return replace(gap, first=first, last=last, start_mm=start, end_mm=end, detail=detail)

        at = gap.first
        for dropped in sorted(self.closed.dropped if self.closed else (), key=attrgetter("first")):
            first, last = max(at, dropped.first), min(gap.last, dropped.last)
            if first > last:
                continue
            if first > at:
                yield part(at, first - 1, gap.detail)
            yield part(first, last, f"dropped at the edge, {dropped.reason}")
            at = last + 1
        if at <= gap.last:
            yield part(at, gap.last, gap.detail)

    def _unseen_gaps(self, outlook: Outlook | None) -> Iterator[_Gap]:
        """Frames that are here and show nothing, neighbours of one cause together."""
        gap: _Gap | None = None
        for sequence, note in sorted(self._notes.items()):
            unseen = _unseen(note, outlook)
            if unseen is None:
                continue
            if gap and (gap.last, gap.reason, gap.detail) == (sequence - 1, *unseen) and _meet(gap, note):
                start, end = min(gap.start_mm, note.start_mm), max(gap.end_mm, note.end_mm)
                gap = replace(gap, last=sequence, start_mm=start, end_mm=end)
                continue
            if gap:
                yield gap
            gap = _Gap(sequence, sequence, note.start_mm, note.end_mm, *unseen)
        if gap:
            yield gap

    def _frameless_gaps(self, missing: Sequence[_Gap], coil_length_mm: float) -> Iterator[_Gap]:
        """Strip of the coil that passed without any frame; a gap's `first` is the frame behind it.

        Args:
            missing: gaps that missing frames leave.
            coil_length_mm: as far as a camera should have looked that has closed.
        """
        extents = [(note.start_mm, note.end_mm, n, n) for n, note in self._notes.items()]
        extents += [(gap.start_mm, gap.end_mm, gap.first, gap.last) for gap in missing]
        reached, before = float("-inf"), -1
        for start, end, first, last in sorted(extents):
            bare_mm = max(0.0, reached)
            if start - bare_mm >= LEAST_GAP_MM:
                detail = f"between frames {before} and {first}" if before >= 0 else f"before frame {first}"
                yield _Gap(first, first, bare_mm, start, "no frame", detail)
            if end > reached:
                reached, before = end, last
        bare_mm = max(0.0, reached)
        if self.closed is not None and coil_length_mm - bare_mm >= LEAST_GAP_MM:
            yield _Gap(self.sent, self.sent, bare_mm, coil_length_mm, "no frame", f"after frame {before}")

    def _tail(self, band: CameraBand, coil_length_mm: float) -> list[Hole]:
        """What a camera that never closed may have missed after its last frame."""
        if self.closed is not None or coil_length_mm - self.end_mm <= 0:
            return []
        gap = _Gap(self.sent, self.sent, self.end_mm, coil_length_mm, "missing", "the camera never closed")
        return [_hole(band, gap, frames=0)]


def missing_frames(side: Side, camera: str, account: CameraAccount) -> list[MissingFrames]:
    """The missing frames of a camera as records."""
    return [
        MissingFrames(side=side, camera=camera, first=first, last=last) for first, last in account.missing()
    ]


def _meet(gap: _Gap, note: FrameNote) -> bool:
    """Whether no strip lies between a gap and a frame, of which another hole would tell."""
    return max(note.start_mm - gap.end_mm, gap.start_mm - note.end_mm) < LEAST_GAP_MM


def _unseen(note: FrameNote, outlook: Outlook | None) -> tuple[HoleReason, str] | None:
    """Why a frame that is here does not show what it should, or None where it does."""
    if note.reason is not None:
        return "unreadable", note.reason
    return ("dark", DARK_DETAIL) if _is_dark(note, outlook) else None


def _is_dark(note: FrameNote, outlook: Outlook | None) -> bool:
    """Whether a frame shows no strip where it should."""
    if not note.shows_no_strip:
        return False
    return outlook is None or not outlook.is_past_strip(note.start_mm, note.end_mm)


def _hole(band: CameraBand, gap: _Gap, frames: int) -> Hole:
    which = f"frame {gap.first}" if gap.first == gap.last else f"frames {gap.first} to {gap.last}"
    return Hole(
        side=band.side,
        camera=band.camera,
        start_mm=round(gap.start_mm, DECIMALS),
        end_mm=round(gap.end_mm, DECIMALS),
        frames=frames,
        reason=gap.reason,
        detail=f"{which}: {gap.detail}" if frames else gap.detail,
    )


def _unknown_band(closed: CameraClosed) -> CameraBand:
    return CameraBand(
        side=closed.side, camera=closed.camera, across_mm=0, columns=1, mm_per_row=1, mm_per_column=1
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
