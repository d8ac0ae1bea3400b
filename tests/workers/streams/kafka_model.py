"""Kafka in memory, as far as the promises of both loops rest on it: a group, its offsets, transactions.

What it has of the real ones: a member of an older generation cannot commit; nobody in particular can; a
partition that stays with its member keeps its position through a rebalance; records of a transaction are
there with its offsets or not at all. A rebalance is at once for the broker, and a member learns of it when
it polls next: that allows all that the real protocol does, and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.kafka import FRAMES_TOPIC

GROUP = "model"


class ProcessDiedError(BaseException):
    """The process of a worker ends here; nothing of it may run on."""


@dataclass
class Broker:
    """One topic, one group that reads it, and what its transactions have left.

    Attributes:
        frames: the topic's records by partition.
        topic: its name.
        written: committed records as (topic, arguments of `send`).
        assignment: by member, of the present generation.
    """

    frames: dict[int, list[ConsumerRecord]] = field(default_factory=dict)
    written: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)
    generation: int = 0
    assignment: dict[str, set[int]] = field(default_factory=dict)
    ids: count[int] = field(default_factory=count)
    topic: str = FRAMES_TOPIC

    def add_partition(self) -> None:
        self.frames[len(self.frames)] = []
        self.rebalance()

    def publish(
        self, partition: int, value: bytes, headers: list[tuple[str, bytes]], key: bytes | None = None
    ) -> None:
        log = self.frames[partition]
        log.append(
            ConsumerRecord(
                self.topic, partition, 0, len(log), 0, 0, key, value, headers, None, 0, len(value), 0
            )
        )

    def partition_of(self, key: bytes) -> int:
        return sum(key) % len(self.frames)

    def join(self, member: str) -> None:
        self.assignment[member] = set()
        self.rebalance()

    def leave(self, member: str) -> None:
        if self.assignment.pop(member, None) is not None:
            self.rebalance()

    def rebalance(self) -> None:
        """The next generation; partitions go round, so that some stay and some move."""
        self.generation += 1
        members = sorted(self.assignment)
        for member in members:
            self.assignment[member] = set()
        for partition in self.frames:
            if members:
                place = (partition + self.generation // 2) % len(members)
                self.assignment[members[place]].add(partition)

    def check(self, member: ConsumerGroupMetadata) -> None:
        """Refuse offsets of a member of the past. Those of nobody in particular are taken, as Kafka does."""
        if member.generation_id < 0 and not member.member_id:
            return
        if member.member_id not in self.assignment or member.generation_id != self.generation:
            raise CommitFailedError("stale member")


class Consumer:
    """What the loop uses of a `KafkaConsumer`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._member = ""
        self._generation = -1
        self._assigned: set[int] = set()
        self._positions: dict[int, int] = {}
        self._paused: set[TopicPartition] = set()
        self._listener: Any = None
        self._coordinator = SimpleNamespace(request_rejoin=lambda: None)
        self.forgets_in_next_poll = False

    def subscribe(self, _topics: Sequence[str], listener: Any) -> None:
        self._listener = listener

    def poll(self, _timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        if self._member not in self._broker.assignment:
            self._member = f"member-{next(self._broker.ids)}"
            self._broker.join(self._member)
        if self._generation != self._broker.generation:
            self._adopt()
        fetched: dict[TopicPartition, list[ConsumerRecord]] = {}
        for partition in sorted(self._assigned):
            place = TopicPartition(self._broker.topic, partition)
            if place in self._paused or max_records <= 0:
                continue
            start = self._positions[partition]
            records = self._broker.frames[partition][start : start + max_records]
            if records:
                fetched[place] = records
                self._positions[partition] += len(records)
                max_records -= len(records)
        if self.forgets_in_next_poll:
            self.forgets_in_next_poll = False
            self.give_up(noticed=True)
        return fetched

    def give_up(self, *, noticed: bool = False) -> None:
        """The group goes on without this member.

        Args:
            noticed: by the library's own thread, which forgets at once who it was; else by the next poll.
        """
        self._broker.leave(self._member)
        if noticed:
            self._member, self._generation = "", -1

    def group_metadata(self) -> ConsumerGroupMetadata:
        return ConsumerGroupMetadata(GROUP, self._generation, self._member, None)

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(self._broker.topic, partition) for partition in self._assigned}

    def committed(self, place: TopicPartition, timeout_ms: int) -> int | None:  # noqa: ARG002 - as the library's
        return self._broker.committed.get(place.partition)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place.partition] = offset

    def seek_to_beginning(self, place: TopicPartition) -> None:
        self._positions[place.partition] = 0

    def pause(self, *places: TopicPartition) -> None:
        self._paused |= set(places)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def resume(self, *places: TopicPartition) -> None:
        self._paused -= set(places)

    def close(self, timeout_ms: float) -> None:  # noqa: ARG002 - as the real one
        self._broker.leave(self._member)

    def _adopt(self) -> None:
        before = self._assigned
        self._listener.on_partitions_revoked(self.assignment())
        self._assigned = set(self._broker.assignment[self._member])
        self._generation = self._broker.generation
        self._paused = {place for place in self._paused if place.partition in self._assigned & before}
        for partition in self._assigned - before:
            self._positions[partition] = self._broker.committed.get(partition, 0)
        self._listener.on_partitions_assigned(self.assignment())


class Producer:
    """What the loop uses of a transactional `KafkaProducer`.

    Attributes:
        fault: raised at the call of this name, once.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sent: list[tuple[str, dict[str, Any]]] = []
        self._offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        self._open = False
        self.fault: tuple[str, BaseException] | None = None

    def begin_transaction(self) -> None:
        self._fail("begin")
        assert not self._open
        self._open = True

    def send(self, topic: str, **record: Any) -> None:
        self._fail("send")
        assert self._open
        self._sent.append((topic, record))

    def send_offsets_to_transaction(
        self, offsets: dict[TopicPartition, OffsetAndMetadata], member: ConsumerGroupMetadata
    ) -> None:
        self._fail("offsets")
        self._broker.check(member)
        self._offsets = offsets

    def commit_transaction(self) -> None:
        self._fail("before the commit")
        assert self._open
        self._broker.written += self._sent
        for topic, record in self._sent:
            if topic == self._broker.topic:
                partition = self._broker.partition_of(record["key"])
                self._broker.publish(partition, record["value"], [], record["key"])
        for place, offset in self._offsets.items():
            self._broker.committed[place.partition] = offset.offset
        self._reset()
        self._fail("after the commit")

    def abort_transaction(self) -> None:
        self._reset()

    def close(self, _timeout_s: float) -> None:
        self._reset()

    def _reset(self) -> None:
        self._sent, self._offsets, self._open = [], {}, False

    def _fail(self, call: str) -> None:
        if self.fault is not None and self.fault[0] == call:
            (_, error), self.fault = self.fault, None
            raise error


def passing_fault(call: str) -> tuple[str, BaseException]:
    return call, KafkaError("the broker was away")


def death(call: str) -> tuple[str, BaseException]:
    return call, ProcessDiedError()
