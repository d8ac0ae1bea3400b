"""A Kafka consumer that reads records whatever bytes the names of their headers are.

Kafka takes any bytes as the name of a header. kafka-python wants UTF-8: it raises at the first other name, at
every poll again, and so one record would stop its partition for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import decode_varint

FIELDS_BEFORE_KEY = 4
"""Length, attributes, timestamp, offset."""
MOST_WRITTEN_OUT = 128 * 1024
"""Bytes of a record's names that are written out, as four for one at worst: with more, its dead letter would
be too large for its topic, and the record would stop its partition after all."""
QUESTION_MARKS = bytes(byte if byte < 0x80 else ord("?") for byte in range(256))
"""As many bytes as before, for names that are longer."""


class AnyHeaderConsumer(KafkaConsumer):  # type: ignore[misc]
    r"""Names of headers that are no UTF-8 come with their bytes written out: `b"a\xff"` as `"a\\xff"`.

    Where a record's names are longer than `MOST_WRITTEN_OUT`, each byte that is no ASCII is a question mark.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        # The library has no public way to say so.
        self._fetcher.PartitionRecords = _PartitionRecords


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    def _unpack_records(
        self, place: TopicPartition, records: MemoryRecords, *deserializers: object
    ) -> Iterator[ConsumerRecord]:
        unpacked: Iterator[ConsumerRecord] = super()._unpack_records(place, _Batches(records), *deserializers)
        return unpacked


class _Batches:
    """What the library asks of `MemoryRecords` while it reads records."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def next_batch(self) -> DefaultRecordBatch | LegacyRecordBatch | None:
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch):
            # Made anew it would copy its bytes.
            batch.__class__ = _Batch
        return batch


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()

    def _read_msg(self, *arguments: Any) -> DefaultRecord:  # noqa: ANN401 - the library's
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:
            names = _take_names(self._buffer, self._pos)
            record = super()._read_msg(*arguments)
            record.headers[:] = [
                (name, value) for name, (_, value) in zip(names, record.headers, strict=True)
            ]
            return record


def _take_names(buffer: bytearray, pos: int) -> list[str]:
    """The names of the headers of the record that begins here; blanks take their place in the buffer."""
    for _ in range(FIELDS_BEFORE_KEY):
        _, pos = decode_varint(buffer, pos)
    pos = _behind_field(buffer, _behind_field(buffer, pos))
    count, pos = decode_varint(buffer, pos)
    names = []
    for _ in range(count):
        length, pos = decode_varint(buffer, pos)
        names.append(buffer[pos : pos + length])
        buffer[pos : pos + length] = b" " * length
        pos = _behind_field(buffer, pos + length)
    if sum(map(len, names)) > MOST_WRITTEN_OUT:
        names = [name.translate(QUESTION_MARKS) for name in names]
    return [name.decode("utf-8", "backslashreplace") for name in names]


def _behind_field(buffer: bytearray, pos: int) -> int:
    """Where a key or a value ends that begins here."""
    length, begin = decode_varint(buffer, pos)
    end: int = begin + max(0, length)
    return end
