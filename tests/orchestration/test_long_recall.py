"""An account is made again from a long log, in a thread with a health check; log and clock are the test's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from ingest.kafka import INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import coil_key, key_bytes
from orchestration import loop_thread
from orchestration.loop_thread import STUCK_AFTER_S, LoopThread, Pulse
from tests.workers.coil.records import COIL, LINE, inspection, opened
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.recalling import recall
from workers.streams import coil_history
from workers.streams.coil_history import CoilHistory
from workers.streams.messages import LogPlace, read_coil_record

KEY = (LINE, COIL, 1)
PLACE = TopicPartition(INSPECTIONS_TOPIC, 0)
FRAMES = 12
OTHERS = 30
"""Records of another coil behind each of these."""
WAIT_S = 20.0


def log() -> list[ConsumerRecord]:
    messages: list[CoilRecord] = [opened()]
    for sequence in range(FRAMES):
        messages.append(inspection(sequence))
        messages += [inspection(sequence * OTHERS + n, coil="other") for n in range(OTHERS)]
    return [
        ConsumerRecord(
            INSPECTIONS_TOPIC, 0, 0, at, 0, 0, key_bytes(coil_key(one)), one.to_json(), [], None, 0, 0, 0
        )
        for at, one in enumerate(messages)
    ]


class Reader:
    """What the history uses of a consumer of no group; every record takes its time to come."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._position = 0

    def assign(self, _places: list[TopicPartition]) -> None:
        """There is one partition."""

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def seek(self, _place: TopicPartition, offset: int) -> None:
        self._position = offset

    def position(self, _place: TopicPartition, _timeout_ms: int) -> int:
        return self._position

    def poll(self, _timeout_ms: int, max_records: int) -> dict[TopicPartition, Iterator[ConsumerRecord]]:
        begin, self._position = self._position, self._position + max_records
        return {PLACE: self._line.coming(begin, self._position)}

    def pause(self, *_places: TopicPartition) -> None:
        """Nothing comes that is not asked for."""

    def resume(self, *_places: TopicPartition) -> None:
        """Nothing is paused."""

    def close(self) -> None:
        """Nothing is open."""


class Line:
    """A loop whose steps make the account of a coil again, and the health check beside it.

    Args:
        record_s: what each record of the log takes; the check comes just before it is done.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, record_s: float) -> None:
        self.now = 0.0
        self.record_s = record_s
        self.accounts: list[CoilAccount] = []
        self.ended = threading.Event()
        self._log = log()
        self._checked = threading.Event()
        monkeypatch.setattr(loop_thread, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(coil_history, "AnyHeaderConsumer", lambda **_options: Reader(self))
        pulse = Pulse()
        self._history = CoilHistory(KafkaConnection(), moved=pulse.beat)
        self.thread = LoopThread("coil worker", lambda: self, pulse=pulse)
        self._checked.set()

    def step(self) -> None:
        assert self._checked.wait(WAIT_S)
        places = [LogPlace(partition=0, first=0, last=len(self._log) - 1)]
        account = recall(
            lambda: map(read_coil_record, self._history.records(KEY, places, {})), CoilAccount(*KEY)
        )
        self.accounts.append(account)
        self.ended.set()

    def close(self) -> None:
        self.ended.set()

    def coming(self, begin: int, end: int) -> Iterator[ConsumerRecord]:
        for record in self._log[begin:end]:
            self.now += self.record_s
            self.thread.check()
            yield record


def test_a_recall_that_moves_may_take_longer_than_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(monkeypatch, STUCK_AFTER_S / 2)
    assert line.ended.wait(WAIT_S)
    line.thread.stop()
    line.thread.check()
    assert line.now > 100 * STUCK_AFTER_S
    assert line.accounts[0].counts.inspected == FRAMES


def test_a_recall_that_stands_still_fails_the_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(monkeypatch, STUCK_AFTER_S * 1.1)
    assert line.ended.wait(WAIT_S)
    with pytest.raises(RuntimeError, match="coil worker has not moved for 66 s"):
        line.thread.check()
    assert not line.accounts
