"""What Kafka remembers of coils that closed: which ones, and all that was said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from ingest.errors import BadRecordError
from ingest.kafka import EVENTS_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import CoilKey, key_bytes
from workers.errors import LogGoneError
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.kafka_clients import FETCH_BYTES
from workers.streams.messages import REPORT_KEY_END, CoilReported, LogPlace, report_key
from workers.streams.reading import read_to


class CoilHistory:
    """Reads announced reports and the logs of coils, as a member of no group.

    Reports are announced in the transaction that commits the offsets behind them. So a coil that is not known
    here has all its records at or behind the committed offset.

    Args:
        connection: to the broker.
        moved: called at each record of a coil's log: to make an account again may take minutes, in which
            nothing else tells that the worker lives.

    Raises:
        KafkaError: Kafka cannot be reached.
    """

    def __init__(self, connection: KafkaConnection, moved: Callable[[], None] = lambda: None) -> None:
        self._moved = moved
        self._options = {
            **connection.client_options(),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            # A log lies in one partition: few large answers are read faster than many small ones.
            "max_partition_fetch_bytes": FETCH_BYTES,
        }
        self._events = AnyHeaderConsumer(**self._options)
        self._announced: dict[bytes, bytes] = {}

    def known(self, key: CoilKey) -> CoilReported | None:
        """The last report of a coil that was heard of, without asking Kafka."""
        announced = self._announced.get(report_key(key))
        try:
            return CoilReported.from_json(announced) if announced else None
        except BadRecordError:
            return None

    def reported(self, key: CoilKey) -> CoilReported | None:
        """The last report of a coil that Kafka knows.

        Raises:
            KafkaError: Kafka cannot be reached.
        """
        self._catch_up()
        return self.known(key)

    def remember(self, reported: CoilReported) -> None:
        """Take note of a report that was announced a moment ago, before Kafka shows it."""
        key = report_key((reported.line, reported.coil, reported.run))
        self._announced[key] = reported.to_json()

    def records(
        self, key: CoilKey, places: Iterable[LogPlace], until: Mapping[int, int]
    ) -> Iterator[ConsumerRecord]:
        """The records of a coil in the inspections topic, partition by partition.

        Args:
            places: where they lie.
            until: offset before which to stop, by partition; behind the place's last record without one.

        Raises:
            LogGoneError: the first ones are not retained any more.
            KafkaError: Kafka cannot be reached.
        """
        wanted = key_bytes(key)
        consumer = AnyHeaderConsumer(**self._options)
        try:
            for place in places:
                end = until.get(place.partition, place.last + 1)
                for record in _read(consumer, place, end):
                    # Those of other coils, too: there may be days of them in between.
                    self._moved()
                    if record.key == wanted:
                        yield record
        finally:
            consumer.close()

    def close(self) -> None:
        """Let go of Kafka."""
        self._events.close()

    def _catch_up(self) -> None:
        partitions = {
            TopicPartition(EVENTS_TOPIC, p) for p in self._events.partitions_for_topic(EVENTS_TOPIC) or ()
        }
        if partitions != self._events.assignment():
            self._events.assign(partitions)
            self._events.seek_to_beginning(*partitions)
        for record in read_to(self._events, self._events.end_offsets(list(partitions))):
            if (record.key or b"").endswith(REPORT_KEY_END) and record.value:
                self._announced[record.key] = record.value


def _read(consumer: KafkaConsumer, place: LogPlace, end: int) -> Iterator[ConsumerRecord]:
    partition = TopicPartition(INSPECTIONS_TOPIC, place.partition)
    consumer.assign([partition])
    begin = consumer.beginning_offsets([partition])[partition]
    if begin > place.first:
        raise LogGoneError(f"{partition}: expected records from offset {place.first}, the first is {begin}")
    consumer.seek(partition, place.first)
    return (record for record in read_to(consumer, {partition: end}) if record.offset < end)
