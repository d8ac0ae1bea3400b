"""Frames of a coil that was inspected before, read again from the frames topic while it retains them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from ingest.errors import BadRecordError
from ingest.kafka import EVENTS_TOPIC, FRAMES_TOPIC, KafkaConnection
from ingest.records import CoilKey, EncodedFrame, FrameHeader, coil_key, key_bytes
from workers.coil.frame_notes import note_of
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, Inspection
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.coil_history import CoilHistory
from workers.streams.kafka_clients import FETCH_BYTES, PARTITION_FETCH_BYTES
from workers.streams.messages import CoilReported, read_frame_record, read_inspection_record
from workers.streams.reading import assign_topic, read_to, read_topic

CLOCKS_APART_MS = 3_600_000
"""Records carry the time of whoever sent them. An hour more at each end of a coil is read soon; a clock that
was set by more than that would hide its frames."""
NOTHING = FrameResult(status="unreadable")

FrameName = tuple[str, str, int]
"""(side, camera, sequence)."""


@dataclass
class KnownFrames:
    """The frames that a coil's report was made from.

    Attributes:
        identities: of each frame, what tells it from another of the same name; in the order of the log.
        first_ms, last_ms: when its first and its last record were sent, in ms since 1970.
    """

    identities: dict[FrameName, bytes] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0


def known_frames(history: CoilHistory, key: CoilKey, reported: CoilReported) -> KnownFrames:
    """The frames of a coil as its log has them; of frames in conflict the one that counts.

    Raises:
        LogGoneError: the log is not retained any more.
        KafkaError: Kafka cannot be reached.
    """
    known = KnownFrames()
    for record in history.records(key, reported.log, {}):
        known.first_ms = min(known.first_ms or record.timestamp, record.timestamp)
        known.last_ms = max(known.last_ms, record.timestamp)
        try:
            message = read_inspection_record(record.value or b"")
        except BadRecordError:
            continue
        if isinstance(message, Inspection):
            name = (message.side, message.camera, message.sequence)
            known.identities.setdefault(name, note_of(message).identity)
    return known


def retained_frames(connection: KafkaConnection, key: CoilKey, known: KnownFrames) -> Iterator[EncodedFrame]:
    """Each known frame of a coil that the frames topic still has, once, in the order of the topic.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    wanted = dict(known.identities)
    consumer = AnyHeaderConsumer(
        **connection.client_options(),
        enable_auto_commit=False,
        # What expires while it is read is passed over, and not all that follows.
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        isolation_level="read_committed",
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
    )
    try:
        since_ms = min(known.first_ms, _opened_ms(consumer, key) or known.first_ms)
        ends = _seek(consumer, since_ms - CLOCKS_APART_MS, known.last_ms + CLOCKS_APART_MS)
        for record in read_to(consumer, ends):
            frame = _frame(record, key)
            if frame is not None and wanted.get(_name(frame.header)) == _identity(frame.header):
                del wanted[_name(frame.header)]
                yield frame
            if not wanted:
                break
    finally:
        consumer.close()


def _seek(consumer: KafkaConsumer, since_ms: int, until_ms: int) -> dict[TopicPartition, int]:
    """Assign the frames topic and go to a time; the offsets to read up to, of partitions with anything."""
    partitions = assign_topic(consumer, FRAMES_TOPIC)
    starts = consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
    stops = consumer.offsets_for_times(dict.fromkeys(partitions, until_ms))
    ends = consumer.end_offsets(partitions)
    for partition in partitions:
        if stops[partition] is not None:
            ends[partition] = stops[partition].offset
        consumer.seek(partition, starts[partition].offset if starts[partition] else ends[partition])
    return dict(ends)


def _opened_ms(consumer: KafkaConsumer, key: CoilKey) -> int | None:
    """When the coil's opening was sent: before all of its frames, which may have waited for long."""
    records = read_topic(consumer, EVENTS_TOPIC)
    return min((record.timestamp for record in records if record.key == key_bytes(key)), default=None)


def _frame(record: ConsumerRecord, key: CoilKey) -> EncodedFrame | None:
    """The frame of a record; None where it is another coil's, or none."""
    try:
        message = read_frame_record(record)
    except BadRecordError:
        return None
    return message if isinstance(message, EncodedFrame) and coil_key(message.header) == key else None


def _name(header: FrameHeader) -> FrameName:
    return header.side, header.camera, header.sequence


def _identity(header: FrameHeader) -> bytes:
    return note_of(place(header, NOTHING)).identity
