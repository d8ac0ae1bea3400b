"""The coil worker's loop: inspections in, coil reports out.

A coil's state is a function of the log since its first record. Closing is a record in that log, so a worker
that rebuilds decides the same; the report is written first and announced afterwards, together with the
offsets, so that a crash in between only writes the same bytes again. Offsets are committed up to the first
record of the oldest open coil of a partition.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.errors import BadRecordError
from ingest.kafka import EVENTS_TOPIC, INSPECTIONS_TOPIC
from ingest.records import CameraClosed, CoilOpened
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.records import CloseReason, CoilClosed, CoilReopened, CoilReport
from workers.inspection.records import Inspection
from workers.report.delivery import Delivery
from workers.report.errors import ReportNotFoundError
from workers.report.store import ReportLocation, ReportStore
from workers.streams.live_view import LiveCoil, LiveView
from workers.streams.messages import (
    CoilKey,
    CoilReported,
    coil_key,
    key_bytes,
    read_inspection_record,
)
from workers.streams.rewinding import Rebalances, rewind_to_committed
from workers.streams.settings import CoilLoopSettings

REMEMBERED_COILS = 1_000
"""Closed coils whose late records are recognised as such; older ones are long past every retry."""

MOST_FAILURES = 5
"""Transactions that may fail in a row before the loop gives up and a new one begins with new clients."""
LONG_STEP_S = 5.0
"""A step takes well under a second; one that takes longer stood still, and with it the coils' clocks."""
CLOSE_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


@dataclass
class OpenCoil:
    """A coil between its first record and its report."""

    account: CoilAccount
    partition: TopicPartition
    first_offset: int
    started_at: datetime
    heard_at: float
    closing: bool = False
    shown_at: float = float("-inf")
    changed: bool = True


class CoilLoop:
    """One member of the coil workers' group. Call `step` until stopped.

    Args:
        consumer: an unsubscribed group member (`kafka_clients.group_consumer`).
        producer: transactional, initialised.
        store: where reports go.
        clock: monotonic seconds, for the grace time.
        now: wall-clock time, for the delivery record only.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        store: ReportStore,
        *,
        rules: GradingRules,
        joining: JoiningSettings,
        live_view: LiveView | None = None,
        settings: CoilLoopSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._store = store
        self._rules = rules
        self._joining = joining
        self._live_view = live_view
        self._settings = settings or CoilLoopSettings()
        self._clock = clock
        self._now = now
        self._open: dict[CoilKey, OpenCoil] = {}
        self._closed: OrderedDict[CoilKey, int] = OrderedDict()
        self._position: dict[TopicPartition, int] = {}
        self._failures = 0
        self._stepped_at = clock()
        self._rebalances = Rebalances(consumer)
        consumer.subscribe([INSPECTIONS_TOPIC], listener=self._rebalances)

    def step(self) -> None:
        """Read what is there, report coils that closed, close coils that ended, refresh the live view.

        Raises:
            KafkaError: the loop cannot go on; a new one rebuilds from the log.
            StoreError: the report store did not take a report; the same.
        """
        self._forgive_pauses()
        fetched = self._consumer.poll(
            int(self._settings.poll_s * 1000), max_records=self._settings.poll_records
        )
        if self._rebalances.happened():
            self._rebuild()
            return
        member = self._consumer.group_metadata()
        reports: list[CoilReported] = []
        for partition, records in fetched.items():
            for record in records:
                reports += self._read(partition, record)
            self._position[partition] = records[-1].offset + 1
        self._drop_unopened()
        closings = self._ended_coils()
        if reports or closings or fetched:
            self._commit(reports, closings, member)
        for key, coil in self._open.items():
            self._show(key, coil)

    def close(self) -> None:
        """Leave the group at once, so that others take over; they rebuild from the log."""
        self._consumer.close()
        self._producer.close(CLOSE_TIMEOUT_S)

    def _rebuild(self) -> None:
        """Drop all open coils and read the log again from the committed offsets."""
        self._open.clear()
        self._position.clear()
        rewind_to_committed(self._consumer)

    def _forgive_pauses(self) -> None:
        """What this loop slept through (Kafka away, the process stopped) is no silence of the coils."""
        now = self._clock()
        if now - self._stepped_at > LONG_STEP_S:
            for coil in self._open.values():
                coil.heard_at += now - self._stepped_at
        self._stepped_at = now

    def _read(self, partition: TopicPartition, record: ConsumerRecord) -> list[CoilReported]:
        try:
            message = read_inspection_record(record.value or b"")
        except BadRecordError as error:
            log.warning("skipped offset %d of %s: %s", record.offset, partition, error)
            return []
        key = coil_key(message)
        if isinstance(message, CoilReopened):
            return []
        if key in self._closed:
            if not self._closed[key]:
                log.warning("coil %s run %d: records after its closing are left out", key[1], key[2])
            self._closed[key] += 1
            return []
        coil = self._open.get(key) or self._begin(key, partition, record)
        coil.heard_at = self._clock()
        coil.changed = True
        if isinstance(message, CoilClosed):
            return self._close(key, coil, message)
        _take(coil.account, message)
        return []

    def _close(self, key: CoilKey, coil: OpenCoil, closed: CoilClosed) -> list[CoilReported]:
        """Report a coil, unless its report is there already or only the end of its log was read again.

        Committed offsets go back to the oldest open coil, so the last records of a coil that was reported
        long ago may be read once more beside it.
        """
        written = self._written_report(key)
        if written is None and coil.account.opened:
            written = self._report(key, coil, closed)
        del self._open[key]
        self._remember(key)
        return [written] if written else []

    def _begin(self, key: CoilKey, partition: TopicPartition, record: ConsumerRecord) -> OpenCoil:
        account = CoilAccount(*key, joining=self._joining)
        started = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        coil = OpenCoil(account, partition, record.offset, started, self._clock())
        self._open[key] = coil
        return coil

    def _report(self, key: CoilKey, coil: OpenCoil, closed: CoilClosed) -> CoilReported:
        report = coil.account.report(closed, self._rules)
        location = self._store.write(report, self._delivery(key, coil))
        if self._live_view:
            self._live_view.show(_live(key, coil.account, report))
        return _announcement(report, location)

    def _written_report(self, key: CoilKey) -> CoilReported | None:
        try:
            report = self._store.read(*key)
        except ReportNotFoundError:
            return None
        return _announcement(report, self._store.location(report))

    def _remember(self, key: CoilKey) -> None:
        self._closed[key] = 0
        while len(self._closed) > REMEMBERED_COILS:
            self._closed.popitem(last=False)

    def _delivery(self, key: CoilKey, coil: OpenCoil) -> Delivery:
        counters = self._live_view.counters(key) if self._live_view else {}
        return Delivery(
            path="distributed",
            started_at=coil.started_at,
            closed_at=self._now(),
            duplicates=coil.account.counts.duplicates,
            cache_hits=counters.get("cache_hits"),
            network_runs=counters.get("network_runs"),
            frames_sent=coil.account.counts.sent,
            dead_letters=coil.account.counts.unreadable,
        )

    def _drop_unopened(self) -> None:
        """Let go of records whose coil never opened: late ones of a coil that closed before we began.

        They would hold the committed offset back for ever.
        """
        for key, coil in list(self._open.items()):
            silent_s = self._clock() - coil.heard_at
            if not coil.account.opened and silent_s >= self._settings.idle_s:
                log.warning("coil %s run %d never opened: its records are left out", key[1], key[2])
                del self._open[key]
                self._remember(key)

    def _ended_coils(self) -> list[CoilClosed]:
        ended = []
        for coil in self._open.values():
            reason = self._why_ended(coil)
            if reason is not None and not coil.closing:
                coil.closing = True
                ended.append(coil.account.close_record(reason))
        return ended

    def _why_ended(self, coil: OpenCoil) -> CloseReason | None:
        silent_s = self._clock() - coil.heard_at
        if coil.account.complete:
            return "complete"
        if coil.account.cameras_closed and silent_s >= self._settings.grace_s:
            return "grace time passed"
        if coil.account.opened and silent_s >= self._settings.idle_s:
            return "idle"
        return None

    def _commit(
        self, reports: list[CoilReported], closings: list[CoilClosed], member: ConsumerGroupMetadata
    ) -> None:
        try:
            self._producer.begin_transaction()
            for closing in closings:
                key = key_bytes(coil_key(closing))
                self._producer.send(INSPECTIONS_TOPIC, key=key, value=closing.to_json())
            for report in reports:
                self._producer.send(EVENTS_TOPIC, key=key_bytes(coil_key(report)), value=report.to_json())
            self._producer.send_offsets_to_transaction(self._offsets(), member)
            self._producer.commit_transaction()
        except KafkaError as error:
            self._roll_back(error)
        else:
            self._failures = 0

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        offsets = dict(self._position)
        for coil in self._open.values():
            offsets[coil.partition] = min(offsets.get(coil.partition, coil.first_offset), coil.first_offset)
        return {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}

    def _roll_back(self, error: KafkaError) -> None:
        """Abort and rebuild everything from the committed offsets.

        Raises:
            KafkaError: it happened too often in a row, or the producer is fenced: a new loop must begin.
        """
        self._failures += 1
        if self._failures > MOST_FAILURES:
            raise error
        log.warning("transaction rolled back, rebuilding from the log: %s", error)
        self._producer.abort_transaction()
        self._closed.clear()
        self._rebuild()

    def _show(self, key: CoilKey, coil: OpenCoil) -> None:
        due = self._clock() - coil.shown_at >= self._settings.live_view_s
        if self._live_view and coil.changed and due:
            self._live_view.show(_live(key, coil.account))
            coil.shown_at = self._clock()
            coil.changed = False


def _take(account: CoilAccount, message: Inspection | CoilOpened | CameraClosed) -> None:
    if isinstance(message, CoilOpened):
        account.add_opened(message)
    elif isinstance(message, CameraClosed):
        account.add_closed_camera(message)
    else:
        account.add(message)


def _live(key: CoilKey, account: CoilAccount, report: CoilReport | None = None) -> LiveCoil:
    counts = account.counts
    line, coil, run = key
    return LiveCoil(
        line=line,
        coil=coil,
        run=run,
        inspected=counts.inspected,
        unreadable=counts.unreadable,
        findings=counts.findings,
        events=counts.events if report is None else len(report.events),
        length_mm=counts.length_mm,
        closed=report is not None,
        decision=report.grade.decision if report else None,
    )


def _announcement(report: CoilReport, location: ReportLocation) -> CoilReported:
    return CoilReported(
        line=report.line,
        coil=report.coil,
        run=report.run,
        revision=report.revision,
        decision=report.grade.decision,
        events=len(report.events),
        report_folder=str(location.folder),
        report_digest=location.digest,
    )
