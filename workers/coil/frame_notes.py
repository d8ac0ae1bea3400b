"""What an account remembers of each frame, and what a frame is that comes again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b

from workers.inspection.records import Inspection


class Verdict(Enum):
    """What an inspection is to the account of its coil.

    NEW: the frame was not known. READ: it was known as unreadable. REPLACES: another model had inspected it,
    and this one was asked for. DUPLICATE: it was known and is equal. CONFLICT: it was known with other pixels
    or at another place.
    """

    NEW = auto()
    READ = auto()
    REPLACES = auto()
    DUPLICATE = auto()
    CONFLICT = auto()


@dataclass(frozen=True, slots=True)
class FrameNote:
    """All that coverage needs of a frame: of a long coil there are very many.

    Attributes:
        identity: digest of the frame's pixels, size, scale and place.
        reason: why the frame was unreadable, None when it was inspected.
        model: digest of the model that inspected it.
        strip_mm: width of the strip in it, 0 where none is to be seen.
    """

    start_mm: float
    end_mm: float
    identity: bytes
    reason: str | None
    model: str | None
    strip_mm: float

    @property
    def shows_no_strip(self) -> bool:
        """Whether it was inspected, and is as dark all over as what lies beside the strip."""
        return self.reason is None and self.strip_mm <= 0


def note_of(inspection: Inspection) -> FrameNote:
    """The note of a frame."""
    end_mm = inspection.along_mm + inspection.height * inspection.mm_per_row
    reason = (inspection.reason or "unreadable") if inspection.status == "unreadable" else None
    model = sys.intern(inspection.model.digest) if inspection.model else None
    return FrameNote(inspection.along_mm, end_mm, _identity(inspection), reason, model, inspection.strip_mm)


def verdict_beside(known: FrameNote, came: FrameNote, preferred_model: str | None) -> Verdict:
    """What a frame is beside one of the same camera and sequence that is known.

    What could not be read says nothing of the strip: a readable equal one takes its place, whichever comes
    first.

    Args:
        preferred_model: digest of the model whose inspections take the place of others.
    """
    if known.identity != came.identity:
        return Verdict.CONFLICT
    if came.reason is not None:
        return Verdict.DUPLICATE
    if known.reason is not None:
        return Verdict.READ
    wanted = preferred_model is not None and came.model == preferred_model != known.model
    return Verdict.REPLACES if wanted else Verdict.DUPLICATE


def _identity(inspection: Inspection) -> bytes:
    """Everything by which one frame is told from another; how it was encoded, and when it came, is not."""
    facts = (
        inspection.digest,
        inspection.along_mm,
        inspection.across_mm,
        inspection.mm_per_row,
        inspection.mm_per_column,
        inspection.height,
        inspection.width,
    )
    return blake2b(repr(facts).encode(), digest_size=16).digest()
