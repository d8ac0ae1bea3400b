"""Batches of the frame worker: gathered from what is fetched, cut by count, bytes and time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.errors import BadRecordError
from ingest.records import EncodedFrame
from workers.inspection.records import FrameResult
from workers.streams.messages import Control, read_frame_record
from workers.streams.settings import FrameLoopSettings


@dataclass
class Batch:
    """Records that are inspected and committed together.

    Attributes:
        member: what this loop was in its group when it fetched them. Kafka refuses their offsets from a
            member that has been through a rebalance since.
        foreign: records that are not ours, each with what is wrong with it.
        cached: for each frame what the cache knew.
        cache_skipped: nobody asked the cache, for Redis was away.
    """

    records: list[ConsumerRecord]
    member: ConsumerGroupMetadata
    frames: list[tuple[ConsumerRecord, EncodedFrame]] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    foreign: list[tuple[ConsumerRecord, str]] = field(default_factory=list)
    cached: list[FrameResult | None] = field(default_factory=list)
    cache_skipped: bool = False
    inspection: Future[list[FrameResult]] | None = None

    @classmethod
    def of(cls, records: list[ConsumerRecord], member: ConsumerGroupMetadata) -> Batch:
        """Records sorted into frames, control records and what is not ours."""
        batch = cls(records, member)
        for record in records:
            try:
                message = read_frame_record(record)
            except BadRecordError as error:
                batch.foreign.append((record, str(error)))
                continue
            if isinstance(message, EncodedFrame):
                batch.frames.append((record, message))
            else:
                batch.controls.append(message)
        return batch

    def offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offsets after this batch's last record of each partition."""
        ends: dict[TopicPartition, int] = {}
        for record in self.records:
            partition = TopicPartition(record.topic, record.partition)
            ends[partition] = max(ends.get(partition, 0), record.offset + 1)
        return {partition: OffsetAndMetadata(end, "", -1) for partition, end in ends.items()}

    def to_inspect(self) -> list[EncodedFrame]:
        """The frames that the cache did not know."""
        return [frame for (_, frame), hit in zip(self.frames, self.cached, strict=True) if hit is None]


class Gathering:
    """Records that were fetched and belong to no batch yet, in the order of their offsets.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, settings: FrameLoopSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._records: deque[ConsumerRecord] = deque()
        self._bytes = 0
        self._since = 0.0
        self.member: ConsumerGroupMetadata | None = None

    def __len__(self) -> int:
        return len(self._records)

    @property
    def full(self) -> bool:
        """Whether the next batch is full: nothing more need be fetched."""
        return self._bytes >= self._settings.batch_bytes or len(self._records) >= self._settings.batch_frames

    def add(self, records: Sequence[ConsumerRecord], member: ConsumerGroupMetadata) -> None:
        """Take what was fetched.

        Args:
            member: what this loop is in its group; the same for all that is gathered.
        """
        if records and not self._records:
            self._since = self._clock()
        self.member = member
        self._records += records
        self._bytes += sum(map(_size, records))

    def cut(self, *, idle: bool) -> Batch | None:
        """The next batch, None while it may still grow.

        Args:
            idle: whether nothing is under inspection: then there is nothing to wait for.
        """
        waited = self._clock() - self._since >= self._settings.batch_wait_s
        if not self._records or self.member is None or not (self.full or waited or idle):
            return None
        records: list[ConsumerRecord] = []
        size = 0
        while self._records and len(records) < self._settings.batch_frames:
            length = _size(self._records[0])
            if records and size + length > self._settings.batch_bytes:
                break
            size += length
            records.append(self._records.popleft())
        self._bytes -= size
        self._since = self._clock()
        return Batch.of(records, self.member)

    def clear(self) -> None:
        """Drop everything. Whoever calls this rewinds or leaves."""
        self._records.clear()
        self._bytes = 0
        self.member = None


def _size(record: ConsumerRecord) -> int:
    return len(record.value or b"")
