"""Kafka records of the frames and inspections topics, to and from our own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

from kafka.consumer.fetcher import ConsumerRecord

from ingest.errors import BadRecordError
from ingest.kafka import CONTROL_HEADER, FRAME_HEADER
from ingest.records import (
    CameraClosed,
    CoilKey,
    CoilOpened,
    EncodedFrame,
    FrameHeader,
    Record,
    coil_key,
    key_bytes,
)
from workers.coil.records import CoilClosed, CoilReopened, Decision
from workers.inspection.records import Inspection

Control = CoilOpened | CameraClosed
REPORT_KEY_END = b"/report"

CONTROLS: dict[str, type[CoilOpened | CameraClosed]] = {
    "coil-opened": CoilOpened,
    "camera-closed": CameraClosed,
}
INSPECTION_RECORDS: dict[str, type[Record]] = {
    **CONTROLS,
    "inspection": Inspection,
    "coil-closed": CoilClosed,
    "coil-reopened": CoilReopened,
}


class LogPlace(Record):
    """Where the records of a coil lie in a partition of the inspections topic: offsets, both included."""

    partition: int
    first: int
    last: int


class CoilReported(Record):
    """A revision of a coil has its report: announced on the events topic under `report_key`.

    Attributes:
        reason: why the report was revised, None for the first one.
        log: where the records lie that the report was made from, the closing record last. What stands there
            is in the report; a record of the coil behind it is late.
    """

    schema_version: Literal[1] = 1
    kind: Literal["coil-reported"] = "coil-reported"
    line: str
    coil: str
    run: int
    revision: int
    reason: str | None = None
    decision: Decision
    events: int
    report_folder: str
    report_digest: str
    log: tuple[LogPlace, ...] = ()


def report_key(key: CoilKey) -> bytes:
    """The Kafka key of a coil's announced report.

    It is not the coil's own, or an opening that is sent again would take its place in the compacted topic.
    """
    return key_bytes(key) + REPORT_KEY_END


def written_at(record: ConsumerRecord) -> datetime:
    """When a record was written; 1970 where its clock says what no clock can."""
    try:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def read_frame_record(record: ConsumerRecord) -> EncodedFrame | Control:
    """What a record of the frames topic holds.

    Raises:
        BadRecordError: the record is not ours, or its header does not validate.
    """
    headers = dict(record.headers)
    if FRAME_HEADER in headers:
        return EncodedFrame(FrameHeader.from_json(headers[FRAME_HEADER] or b""), record.value or b"")
    if CONTROL_HEADER in headers:
        kind = (headers[CONTROL_HEADER] or b"").decode("utf-8", "replace")
        if kind not in CONTROLS:
            raise BadRecordError(f"control record: expected one of {', '.join(CONTROLS)}, got {kind[:60]!r}")
        return CONTROLS[kind].from_json(record.value or b"")
    raise BadRecordError(f"expected a '{FRAME_HEADER}' or '{CONTROL_HEADER}' header, got {sorted(headers)}")


def read_inspection_record(value: bytes) -> Inspection | Control | CoilClosed | CoilReopened:
    """What a record of the inspections topic holds.

    Raises:
        BadRecordError: the record is not ours or does not validate.
    """
    try:
        kind = json.loads(value).get("kind")
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise BadRecordError("inspections topic: expected a JSON object with a 'kind'") from None
    if not isinstance(kind, str) or kind not in INSPECTION_RECORDS:
        raise BadRecordError(
            f"inspections topic: expected one of {', '.join(INSPECTION_RECORDS)}, got {str(kind)[:60]!r}"
        )
    return INSPECTION_RECORDS[kind].from_json(value)  # type: ignore[return-value]


def read_coil_record(record: ConsumerRecord) -> Inspection | Control | CoilClosed | CoilReopened:
    """What a record of the inspections topic holds of the coil whose key it has; logs are found by keys.

    Raises:
        BadRecordError: the record is not ours, does not validate, or has another coil's key.
    """
    message = read_inspection_record(record.value or b"")
    expected = key_bytes(coil_key(message))
    if record.key != expected:
        raise BadRecordError(f"inspections topic: expected the key {expected!r}, got {record.key!r}")
    return message
