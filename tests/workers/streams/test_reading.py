"""Reading to an end, and giving up where nothing comes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from workers.streams import reading
from workers.streams.reading import read_to

LONG, SHORT = TopicPartition("t", 0), TopicPartition("t", 1)


class Log:
    """A consumer of two partitions, one record of each a poll."""

    def __init__(self, **ends: int) -> None:
        self.ends = {LONG: ends["long"], SHORT: ends["short"]}
        self.positions = {LONG: 0, SHORT: 0}
        self.paused: set[TopicPartition] = set()

    def position(self, partition: TopicPartition, _timeout_ms: int) -> int:
        return self.positions[partition]

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def poll(self, _timeout_ms: int, **_options: object) -> dict[TopicPartition, list[Any]]:
        fetched = {}
        for partition in self.ends.keys() - self.paused:
            if self.positions[partition] < self.ends[partition]:
                fetched[partition] = [(partition, self.positions[partition])]
                self.positions[partition] += 1
        return fetched


def test_each_partition_is_read_to_its_end_and_no_further() -> None:
    log = Log(long=9, short=9)
    read = list(read_to(cast("KafkaConsumer", log), {LONG: 5, SHORT: 2}))
    assert sorted(read) == [*((LONG, n) for n in range(5)), *((SHORT, n) for n in range(2))]
    assert not log.paused


def test_it_gives_up_where_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.0)
    log = Log(long=3, short=1)
    with pytest.raises(KafkaTimeoutError, match=r"no records of .*partition=0\)\] for 0 s"):
        list(read_to(cast("KafkaConsumer", log), {LONG: 5, SHORT: 1}))
    log.ends[SHORT] = 2
    assert (SHORT, 1) in list(read_to(cast("KafkaConsumer", log), {SHORT: 2}))
