"""The coil worker's closing under arbitrary interleavings, against a Kafka in memory.

Whatever is delivered, repeated, killed, rebalanced, frozen or refused, and in whatever order: each closing in
the log has one report, the one that the log before it makes, and no offset is committed that it does not tell
of.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from kafka.consumer.fetcher import ConsumerRecord

from ingest.kafka import EVENTS_TOPIC, INSPECTIONS_TOPIC
from ingest.records import CoilKey, key_bytes
from tests.workers.coil.records import LINE, closed, inspection, opened
from tests.workers.streams.group_protocol import WORKERS, GroupProtocol, workers
from tests.workers.streams.kafka_model import Broker, Consumer, Producer
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CoilClosed, CoilReport
from workers.report.delivery import Delivery
from workers.report.json_report import report_json
from workers.report.store import ReportLocation
from workers.streams import coil_loop
from workers.streams.coil_loop import CoilLoop
from workers.streams.messages import CoilReported, LogPlace, read_coil_record, report_key
from workers.streams.settings import CoilLoopSettings

PARTITIONS = 2
FRAMES = 3
GRACE_S = 3.0
COILS = ["C-1", "C-2"]
SETTINGS = CoilLoopSettings(grace_s=GRACE_S, idle_s=10_000.0, poll_records=3)
RULES = GradingRules.load()
Reports = dict[tuple[CoilKey, int], set[bytes]]


class Writers:
    """A report store that answers when the test says so; a write that nobody waits for is done as well."""

    def __init__(self, store: Reports) -> None:
        self._store = store
        self._under_way: dict[CoilKey, tuple[Future[ReportLocation], CoilReport]] = {}

    def start(self, key: CoilKey, report: CoilReport, _delivery: Delivery) -> Future[ReportLocation] | None:
        if key in self._under_way:
            return None
        future: Future[ReportLocation] = Future()
        self._under_way[key] = future, report
        return future

    def check(self) -> None:
        """It never hangs for so long."""

    def answer(self) -> None:
        for key, (future, report) in self._under_way.items():
            data = report_json(report)
            self._store[key, report.revision].add(data)
            future.set_result(ReportLocation(folder="somewhere", digest=_digest(data)))
        self._under_way.clear()


class History:
    """What the broker has of announced reports and of logs."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: dict[CoilKey, CoilReported] = {}

    def known(self, key: CoilKey) -> CoilReported | None:
        return self._known.get(key)

    def reported(self, key: CoilKey) -> CoilReported | None:
        for report in _announced(self._broker, key):
            self._known[key] = report
        return self._known.get(key)

    def remember(self, report: CoilReported) -> None:
        self._known[report.line, report.coil, report.run] = report

    def records(
        self, key: CoilKey, places: Iterable[LogPlace], until: Mapping[int, int]
    ) -> Iterator[ConsumerRecord]:
        for place in places:
            end = until.get(place.partition, place.last + 1)
            for record in self._broker.frames[place.partition][place.first : end]:
                if record.key == key_bytes(key):
                    yield record

    def close(self) -> None:
        """Nothing is open."""


class Worker:
    """One process with a coil loop."""

    def __init__(self, machine: ClosingProtocol) -> None:
        self.consumer = Consumer(machine.broker)
        self.producer = Producer(machine.broker)
        self.writers = Writers(machine.store)
        history: Any = History(machine.broker)
        writers: Any = self.writers
        self.loop = CoilLoop(
            self.consumer,
            self.producer,
            writers,
            history,
            rules=RULES,
            joining=JoiningSettings(),
            settings=SETTINGS,
            clock=lambda: machine.now,
        )


@pytest.fixture(scope="module", autouse=True)
def _garbage_stays() -> Iterator[None]:
    """To collect all of a test session's, hundreds of times, would take most of this test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coil_loop, "hand_back_memory", lambda: None)
        yield


class ClosingProtocol(GroupProtocol):
    def __init__(self) -> None:
        super().__init__(Broker(topic=INSPECTIONS_TOPIC))
        self.store: Reports = defaultdict(set)

    @initialize()
    def a_group_at_work(self) -> None:
        for _ in range(PARTITIONS):
            self.broker.add_partition()
        for worker in [*range(WORKERS), *range(WORKERS)]:
            self.start(worker)
            self.work_on(worker, 2)

    @rule(coil=st.sampled_from(COILS), sequence=st.integers(0, FRAMES - 1), other_pixels=st.booleans())
    def deliver_a_frame(self, coil: str, sequence: int, other_pixels: bool) -> None:
        changes = {"digest": "ff" * 16} if other_pixels else {}
        self._append(inspection(sequence, coil=coil, **changes))

    @rule(coil=st.sampled_from(COILS), frames=st.sets(st.integers(0, FRAMES - 1)))
    def deliver_a_coil(self, coil: str, frames: set[int]) -> None:
        for record in [opened(coil=coil), *(inspection(n, coil=coil) for n in frames)]:
            self._append(record)
        self._append(closed(FRAMES, coil=coil))

    @rule(coil=st.sampled_from(COILS))
    def deliver_an_opening(self, coil: str) -> None:
        self._append(opened(coil=coil))

    @rule(seconds=st.floats(0.5, GRACE_S))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=workers)
    def start(self, worker: int) -> None:
        if worker not in self.workers:
            self.workers[worker] = Worker(self)

    @rule(worker=workers, steps=st.integers(1, 6))
    def work_on(self, worker: int, steps: int) -> None:
        for _ in range(steps):
            if worker in self.workers:
                self._run(worker, "step")

    @rule(worker=workers)
    def have_the_store_answer(self, worker: int) -> None:
        if worker in self.workers:
            self.workers[worker].writers.answer()

    @rule(worker=workers, coil=st.sampled_from(COILS), late=st.integers(0, FRAMES - 1))
    def have_a_frame_come_while_the_report_is_written(self, worker: int, coil: str, late: int) -> None:
        self.deliver_a_coil(coil, set(range(1, FRAMES)))
        self.work_on(worker, 4)
        self.now += GRACE_S
        self.work_on(worker, 3)
        self.deliver_a_frame(coil, late, other_pixels=late > 0)
        self.work_on(worker, 2)
        self.have_the_store_answer(worker)
        self.work_on(worker, 1)

    @rule(worker=workers, other=workers, noticed=st.booleans())
    def expire_a_frozen_session(self, worker: int, other: int, noticed: bool) -> None:
        """A worker is stopped with coils in hand; another one does its work; it wakes and wants to commit."""
        if worker in self.workers:
            self.workers[worker].consumer.give_up(noticed=noticed)
            self.work_on(other, 3)
            self.have_the_store_answer(other)
            self.work_on(other, 1)
            self.have_the_store_answer(worker)
            self.work_on(worker, 1)

    @invariant()
    def each_closing_has_the_report_that_the_log_before_it_makes(self) -> None:
        for coil in COILS:
            key = (LINE, coil, 1)
            reports, _ = self._replayed(key)
            written = {revision: data for (of, revision), data in self.store.items() if of == key}
            assert all(data == {reports[revision]} for revision, data in written.items())
            for announced in _announced(self.broker, key):
                assert {announced.report_digest} == set(map(_digest, written[announced.revision]))

    @invariant()
    def committed_offsets_pass_nothing_that_no_report_tells_of(self) -> None:
        for coil in COILS:
            key = (LINE, coil, 1)
            committed = self.broker.committed.get(self.broker.partition_of(key_bytes(key)), 0)
            if self._replayed(key, committed)[1] is None:
                continue
            told = _announced(self.broker, key)
            # A coil beside it may hold the offset back to before its closing.
            end = max(committed, *(place.last + 1 for report in told for place in report.log), 0)
            _, account = self._replayed(key, end)
            assert account is not None
            assert account.revision in [report.revision for report in told]
            assert not account.revision_due

    def teardown(self) -> None:
        delivered = {record.key for log in self.broker.frames.values() for record in log}
        coils = [coil for coil in COILS if key_bytes((LINE, coil, 1)) in delivered]
        for coil in coils:
            self.deliver_a_coil(coil, set(range(FRAMES)))
        for _ in range(200):
            if self._all_committed():
                break
            while self.dead:
                self.expire_a_dead_session()
            self.start(0)
            for worker in list(self.workers):
                self.work_on(worker, 2)
                self.have_the_store_answer(worker)
            self.now += 1.0
        assert self._all_committed()
        self.each_closing_has_the_report_that_the_log_before_it_makes()
        self.committed_offsets_pass_nothing_that_no_report_tells_of()
        for coil in coils:
            _, account = self._replayed((LINE, coil, 1))
            assert account is not None
            assert account.complete

    def _append(self, record: CoilRecord) -> None:
        key = key_bytes((record.line, record.coil, record.run))
        self.broker.publish(self.broker.partition_of(key), record.to_json(), [], key)

    def _all_committed(self) -> bool:
        ends = {partition: len(log) for partition, log in self.broker.frames.items()}
        return all(self.broker.committed.get(partition, 0) == end for partition, end in ends.items())

    def _replayed(self, key: CoilKey, end: int | None = None) -> tuple[dict[int, bytes], CoilAccount | None]:
        """The report of each closing of a coil, and its account after the log up to an offset."""
        log = self.broker.frames[self.broker.partition_of(key_bytes(key))][:end]
        records = [read_coil_record(record) for record in log if record.key == key_bytes(key)]
        account, reports = CoilAccount(*key), {}
        for record in records:
            if isinstance(record, CoilClosed) and account.opened and account.closes(record):
                reports[record.revision] = report_json(account.report(record, RULES))
            account.take(record)
        return reports, account if records else None


def _announced(broker: Broker, key: CoilKey) -> list[CoilReported]:
    found = [record for topic, record in broker.written if topic == EVENTS_TOPIC]
    return [CoilReported.from_json(r["value"]) for r in found if r["key"] == report_key(key)]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


TestClosingProtocol = ClosingProtocol.TestCase
TestClosingProtocol.settings = settings(
    max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
