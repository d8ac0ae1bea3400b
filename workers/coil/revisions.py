"""What happens to a coil after it has closed: late records, and frames inspected again on request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workers.coil.frame_notes import Verdict
from workers.coil.records import CoilReopened, Revision, Tombstone
from workers.inspection.records import Inspection


class Revisions:
    """Counts the closings of a coil and what came since the last one.

    Attributes:
        closed: the last revision that closed, 0 while the coil has not closed yet.
        preferred_model: digest of the model whose inspections take the place of others.
    """

    def __init__(self) -> None:
        self.closed = 0
        self.preferred_model: str | None = None
        self._history: list[Revision] = []
        self._was_complete = False
        self._event_ids: set[str] = set()
        self._start_round()

    def _start_round(self) -> None:
        self._late_frames = self._late_ends = self._conflicts = self._again = 0
        self._requests: list[CoilReopened] = []
        self._heard: set[tuple[str, str, int]] = set()

    @property
    def due(self) -> bool:
        """Whether anything came since the last closing that another revision must tell."""
        came = self._late_frames + self._late_ends + self._conflicts + self._again
        return self.closed > 0 and (came > 0 or bool(self._requests))

    @property
    def asked_for(self) -> bool:
        """Whether another revision was requested."""
        return bool(self._requests)

    @property
    def late_frames(self) -> int:
        """Frames that came after a closing, of all revisions."""
        return sum(revision.late_frames for revision in self._history) + self._late_frames

    def ready(self, complete: bool) -> bool:
        """Whether another revision need not wait: what was asked for, or was missing at first, is all here.

        Args:
            complete: every frame of the coil is here.
        """
        expected = [request.frames for request in self._requests]
        if expected:
            return None not in expected and len(self._heard) >= sum(count or 0 for count in expected)
        return self.due and complete and not self._was_complete

    def reopen(self, request: CoilReopened) -> None:
        """Take a request to inspect frames again."""
        self.preferred_model = request.model or self.preferred_model
        if self.closed:
            self._requests.append(request)

    def add_frame(self, record: Inspection, verdict: Verdict) -> None:
        """Take note of an inspection."""
        if not self.closed:
            return
        if self._requests:
            self._heard.add((record.side, record.camera, record.sequence))
        if verdict is Verdict.CONFLICT:
            self._conflicts += 1
        elif verdict is not Verdict.DUPLICATE:
            if self._requests or verdict is Verdict.REPLACES:
                self._again += 1
            else:
                self._late_frames += 1

    def add_end(self) -> None:
        """Take note of a camera's closing record that was not known."""
        self._late_ends += self.closed > 0

    def add_conflict(self) -> None:
        """Take note of an opening or an end that came again with other content."""
        self._conflicts += self.closed > 0

    def history(self) -> tuple[Revision, ...]:
        """Every revision up to the one that is closed next."""
        if not self.closed:
            return ()
        revision = Revision(
            revision=self.closed + 1,
            reason=self._reason(),
            late_frames=self._late_frames,
            inspected_again=self._again,
        )
        return (*self._history, revision)

    def tombstones(self, event_of_finding: Mapping[str, str]) -> tuple[Tombstone, ...]:
        """The events of earlier revisions that are none any more.

        Args:
            event_of_finding: id of each finding to the id of its event now.
        """
        gone = self._event_ids - set(event_of_finding.values())
        return tuple(Tombstone(id=event, into=event_of_finding.get(event)) for event in sorted(gone))

    def close(self, complete: bool, event_ids: Iterable[str]) -> None:
        """Begin the next round."""
        self._history = list(self.history())
        self._event_ids.update(event_ids)
        self._was_complete = complete
        self.closed += 1
        self._start_round()

    def _reason(self) -> str:
        """What came since the last closing, in one line."""
        counts = (
            (self._late_frames, "late frame", "late frames"),
            (self._late_ends, "late end of a camera", "late ends of cameras"),
            (self._conflicts, "late conflict", "late conflicts"),
        )
        asked = [*dict.fromkeys(request.reason for request in self._requests)]
        if self._requests or self._again:
            asked.append(f"{_counted(self._again, 'frame', 'frames')} inspected again")
        return ", ".join([*asked, *(_counted(*count) for count in counts if count[0])])


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
