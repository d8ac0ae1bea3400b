"""Watches the line's topics from outside, with clients of its own: what is durable, and what is promised.

Everything here reads what a stranger could read. Nothing asks a worker.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from ingest.kafka import (
    CONTROL_HEADER,
    DEAD_LETTERS_TOPIC,
    FRAME_HEADER,
    FRAMES_TOPIC,
    INSPECTIONS_TOPIC,
    KafkaConnection,
)
from ingest.records import CoilKey
from workers.streams.any_header_consumer import AnyHeaderConsumer

POLL_MS = 50
RETRY_S = 0.5
FrameId = tuple[str, str, int]
"""(side, camera, sequence)."""


@dataclass
class WatchedCoil:
    """What the topics say of one coil.

    Attributes:
        sent: frames on the frames topic, each with how often it is there.
        inspections: committed inspection records, each with how often it is there.
        statuses: how many inspections have which status.
        closings: `coil-closed` records.
    """

    sent: Counter[FrameId] = field(default_factory=Counter)
    inspections: Counter[FrameId] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    closings: int = 0

    @property
    def repeated(self) -> dict[FrameId, int]:
        """Frames with more inspections than they were sent."""
        return {frame: n for frame, n in self.inspections.items() if n > max(1, self.sent[frame])}

    @property
    def unsent(self) -> set[FrameId]:
        """Inspected frames that have not been read on their topic: none, once all is read."""
        return self.inspections.keys() - self.sent.keys()


class Outside:
    """Reads frames, inspections and dead letters of a line in a thread of its own.

    Args:
        connection: to the line's broker; it may go away and come back.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._coils: dict[CoilKey, WatchedCoil] = defaultdict(WatchedCoil)
        self._frames_at: dict[tuple[int, int], tuple[CoilKey, FrameId] | None] = {}
        self._dead_letters: list[dict[str, Any]] = []
        self._positions: dict[TopicPartition, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outside", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(10)

    def coil(self, key: CoilKey) -> WatchedCoil:
        """What is known of a coil now; a copy."""
        with self._lock:
            known = self._coils[key]
            return WatchedCoil(
                Counter(known.sent), Counter(known.inspections), Counter(known.statuses), known.closings
            )

    def inspected(self, key: CoilKey) -> int:
        """Different frames of a coil that have a committed inspection."""
        with self._lock:
            return len(self._coils[key].inspections)

    def closings(self, key: CoilKey) -> int:
        """Closing records of a coil."""
        with self._lock:
            return self._coils[key].closings

    def waiting(self) -> set[tuple[CoilKey, FrameId]]:
        """Frames that are on their topic and have no committed inspection."""
        with self._lock:
            return {
                (key, frame)
                for key, coil in self._coils.items()
                for frame in coil.sent.keys() - coil.inspections.keys()
            }

    def buried(self, key: CoilKey) -> set[FrameId]:
        """Frames of a coil that are dead letters."""
        with self._lock:
            places = [(letter["source_partition"], letter["source_offset"]) for letter in self._dead_letters]
            known = [self._frames_at.get(place) for place in places]
        return {found[1] for found in known if found is not None and found[0] == key}

    def dead_letters(self) -> list[dict[str, Any]]:
        """Origins of the committed dead letters: topic, partition, offset and error."""
        with self._lock:
            return list(self._dead_letters)

    def frame_partitions(self) -> set[int]:
        """Partitions of the frames topic that have a frame."""
        with self._lock:
            return {partition for (partition, _), known in self._frames_at.items() if known is not None}

    def lost_by_commit(self, group: str, timeout_s: float = 30.0) -> list[str]:
        """Records of the frames topic below a group's committed offsets without a durable result.

        The offsets are asked first. Then everything is read that was written to the other topics by the time
        they were known: a transaction that is still open there may hold the reading back for seconds.

        Args:
            group: of the frame workers.

        Returns:
            One line for each, empty where the promise is kept.

        Raises:
            TimeoutError: the topics could not be read up to there in time.
        """
        committed, ends = self._ask(group, timeout_s)
        deadline = time.monotonic() + timeout_s
        while not self._read_up_to(ends):
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics not read up to {ends}, but to {self._positions}")
            self._stop.wait(POLL_MS / 1000)
        with self._lock:
            letters = {(letter["source_partition"], letter["source_offset"]) for letter in self._dead_letters}
            return [
                f"partition {place[0]} offset {place[1]}: {known}"
                for place, known in self._frames_at.items()
                if place[1] < committed.get(place[0], 0)
                and place not in letters
                and (known is None or not self._coils[known[0]].inspections[known[1]])
            ]

    def committed(self, group: str, timeout_s: float = 30.0) -> dict[int, int]:
        """The group's committed offsets on the frames topic, by partition.

        Raises:
            KafkaError: the broker did not say so in time.
        """
        return self._ask(group, timeout_s)[0]

    def _ask(self, group: str, timeout_s: float) -> tuple[dict[int, int], dict[TopicPartition, int]]:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._ask_once(group)
            except (KafkaError, OSError):
                if time.monotonic() > deadline:
                    raise
                self._stop.wait(RETRY_S)

    def _ask_once(self, group: str) -> tuple[dict[int, int], dict[TopicPartition, int]]:
        admin = KafkaAdminClient(**self._connection.client_options())
        try:
            offsets = admin.list_group_offsets([group]).get(group, {})
            committed = {p.partition: known.offset for p, known in offsets.items() if known.offset > 0}
            read = [p for p in list(self._positions) if p.topic != FRAMES_TOPIC]
            ends = admin.list_partition_offsets(dict.fromkeys(read, OffsetSpec.LATEST))
            return committed, {place: end.offset for place, end in ends.items()}
        finally:
            admin.close()

    def _read_up_to(self, ends: dict[TopicPartition, int]) -> bool:
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read_topics()
            except (KafkaError, OSError, ValueError):
                # The broker is away: all is read on from where this stopped.
                self._stop.wait(RETRY_S)

    def _read_topics(self) -> None:
        consumer = AnyHeaderConsumer(
            **self._connection.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metadata_max_age_ms=2_000,
            fetch_max_wait_ms=POLL_MS,
            reconnect_backoff_max_ms=RETRY_S * 1000,
        )
        readers: dict[str, Callable[[ConsumerRecord], None]] = {
            FRAMES_TOPIC: self._sent,
            INSPECTIONS_TOPIC: self._inspected,
            DEAD_LETTERS_TOPIC: self._buried,
        }
        try:
            while not self._stop.is_set():
                self._assign(consumer, list(readers))
                for place, records in consumer.poll(POLL_MS).items():
                    with self._lock:
                        for record in records:
                            readers[place.topic](record)
                            self._positions[place] = record.offset + 1
                with self._lock:
                    for place in consumer.assignment():
                        self._positions[place] = consumer.position(place, timeout_ms=5_000)
        finally:
            consumer.close()

    def _assign(self, consumer: KafkaConsumer, topics: list[str]) -> None:
        """Take on partitions as they come, each from where reading stopped."""
        there = {TopicPartition(t, p) for t in topics for p in consumer.partitions_for_topic(t) or ()}
        if there - consumer.assignment():
            consumer.assign(sorted(there))
            for place in there:
                consumer.seek(place, self._positions.get(place, 0))

    def _sent(self, record: ConsumerRecord) -> None:
        place = (record.partition, record.offset)
        try:
            header = json.loads(dict(record.headers)[FRAME_HEADER])
            key, frame = _identity(header)
            known = header["schema_version"] == 1
        except (KeyError, ValueError, TypeError):
            if CONTROL_HEADER not in dict(record.headers):
                self._frames_at[place] = None
            return
        if known:
            self._coils[key].sent[frame] += 1
        self._frames_at[place] = (key, frame) if known else None

    def _inspected(self, record: ConsumerRecord) -> None:
        message = json.loads(record.value)
        if message.get("kind") == "inspection":
            key, frame = _identity(message)
            self._coils[key].inspections[frame] += 1
            self._coils[key].statuses[message["status"]] += 1
        elif message.get("kind") == "coil-closed":
            self._coils[message["line"], message["coil"], message["run"]].closings += 1

    def _buried(self, record: ConsumerRecord) -> None:
        self._dead_letters.append(json.loads(dict(record.headers)["dead-letter"]))


def _identity(message: dict[str, Any]) -> tuple[CoilKey, FrameId]:
    key = (message["line"], message["coil"], message["run"])
    return key, (message["side"], message["camera"], message["sequence"])
