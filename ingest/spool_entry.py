"""What the spool holds of a frame or a control record, and who handed it over when."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from ingest.errors import SpoolError
from ingest.records import CameraClosed, CoilOpened, FrameHeader

_HEAD = struct.Struct("<B55sQI")
_KINDS: tuple[type[FrameHeader | CoilOpened | CameraClosed], ...] = (
    FrameHeader,
    CoilOpened,
    CameraClosed,
)


Handed = FrameHeader | CoilOpened | CameraClosed


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame or a control record on its way to Kafka.

    Attributes:
        data: encoded pixels of a frame; empty for a control record.
        trace: W3C trace context, 55 bytes, the same for every attempt.
        handed_at_ms: wall-clock time at which the source handed it over.
    """

    record: Handed
    data: bytes
    trace: bytes
    handed_at_ms: int

    @property
    def is_frame(self) -> bool:
        """Whether it is a frame: only those may be dropped."""
        return isinstance(self.record, FrameHeader)

    def to_parts(self) -> tuple[bytes, bytes, bytes]:
        """Its bytes in parts, so that pixels are not copied."""
        record = self.record.to_json()
        kind = _KINDS.index(type(self.record))
        return _HEAD.pack(kind, self.trace, self.handed_at_ms, len(record)), record, self.data

    @property
    def spooled_bytes(self) -> int:
        """What it takes in the spool, beside the spool's own head."""
        return sum(map(len, self.to_parts()))

    def with_record(self, record: Handed) -> Entry:
        """This entry with another record."""
        return replace(self, record=record)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Entry:
        """Read it back.

        Raises:
            SpoolError: these bytes are no entry.
            BadRecordError: its record does not validate.
        """
        try:
            kind, trace, handed_at_ms, length = _HEAD.unpack_from(payload)
            record_type = _KINDS[kind]
        except (struct.error, IndexError):
            raise SpoolError(f"expected a spooled frame or control record, got {payload[:20]!r}") from None
        begin = _HEAD.size + length
        record = record_type.from_json(payload[_HEAD.size : begin])
        return cls(record, payload[begin:], trace, handed_at_ms)
