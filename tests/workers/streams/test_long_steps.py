"""Steps of the coil worker that take long: because nothing comes, or because there is much to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from pydantic import ValidationError

from ingest.kafka import INSPECTIONS_TOPIC
from ingest.records import coil_key, key_bytes
from tests.workers.coil.records import COIL, LINE, opened
from tests.workers.streams.kafka_model import Broker, Consumer, Producer
from tests.workers.streams.test_closing_protocol import RULES, History, Writers
from workers.coil.account import CoilRecord
from workers.coil.joining import JoiningSettings
from workers.streams.coil_loop import LONG_STEP_S, CoilLoop
from workers.streams.messages import read_coil_record
from workers.streams.settings import MOST_POLL_S, CoilLoopSettings, FrameLoopSettings

IDLE_S = 60.0


@dataclass
class Line:
    """A coil loop on a Kafka in memory that takes its time; the clock is that of the test."""

    poll_s: float = 0.2
    now: float = 0.0
    broker: Broker = field(default_factory=lambda: Broker(topic=INSPECTIONS_TOPIC))

    def __post_init__(self) -> None:
        self.broker.add_partition()
        history: Any = History(self.broker)
        writers: Any = Writers(defaultdict(set))
        self.loop = CoilLoop(
            Slow(self),
            Producer(self.broker),
            writers,
            history,
            rules=RULES,
            joining=JoiningSettings(),
            settings=CoilLoopSettings(poll_s=self.poll_s, idle_s=IDLE_S),
            clock=lambda: self.now,
        )

    def append(self, record: CoilRecord) -> None:
        self.broker.publish(0, record.to_json(), [], key_bytes(coil_key(record)))

    def kinds(self) -> list[str]:
        return [read_coil_record(record).kind for record in self.broker.frames[0]]


class Slow(Consumer):
    """Takes its whole time where nothing is there."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.broker)
        self._line = line

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        fetched = super().poll(timeout_ms, max_records)
        self._line.now += 0.01 if fetched else timeout_ms / 1000
        return fetched


@settings(max_examples=20)
@given(poll_s=st.floats(0.05, MOST_POLL_S) | st.just(MOST_POLL_S))
def test_a_silent_coil_closes_however_long_polls_are(poll_s: float) -> None:
    line = Line(poll_s)
    line.append(opened())
    while line.now < IDLE_S + 3 * LONG_STEP_S:
        line.loop.step()
    assert line.kinds() == ["coil-opened", "coil-closed"]
    assert (LINE, COIL, 1) in line.loop._open, "its report is being written"


@pytest.mark.parametrize("loop", [FrameLoopSettings, CoilLoopSettings])
@given(poll_s=st.floats(MOST_POLL_S, exclude_min=True))
def test_polls_that_a_loop_takes_for_a_pause_are_refused(
    loop: type[FrameLoopSettings | CoilLoopSettings], poll_s: float
) -> None:
    with pytest.raises(ValidationError, match=f"poll_s\n.* less than or equal to {MOST_POLL_S:g}"):
        loop(poll_s=poll_s)
