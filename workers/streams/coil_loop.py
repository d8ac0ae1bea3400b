"""The coil worker's loop: inspections in, coil reports out.

A coil's state is a function of the log since its first record. Closing is a record in that log, so a worker
that rebuilds decides the same; the report is written first and announced afterwards, together with the
offsets, so that a crash in between only writes the same bytes again. Offsets are committed up to the oldest
record that no announced report tells of. What comes behind a closing record makes another revision.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from ingest.errors import BadRecordError
from ingest.kafka import EVENTS_TOPIC, INSPECTIONS_TOPIC
from ingest.records import CoilKey, coil_key, key_bytes
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.coil.recalling import recall
from workers.coil.records import CoilClosed, CoilReport
from workers.errors import LogGoneError
from workers.report.delivery import Delivery
from workers.streams.coil_history import CoilHistory
from workers.streams.live_view import LiveView, live_coil
from workers.streams.memory import hand_back_memory
from workers.streams.messages import CoilReported, read_coil_record, report_key, written_at
from workers.streams.open_coil import OpenCoil
from workers.streams.report_outbox import ReportOutbox, WrittenReport
from workers.streams.report_writers import ReportWriters
from workers.streams.rewinding import Rebalances, membership, rewind_to_committed
from workers.streams.settings import CoilLoopSettings

MOST_FAILURES = 5
"""Transactions that may fail in a row before the loop gives up and a new one begins with new clients."""
LONG_STEP_S = 5.0
"""A step takes well under a second; one that takes longer stood still, and with it the coils' clocks."""
LOOK_AGAIN_S = 10.0
"""How often Kafka is asked for reports of coils in hand. Another worker's is committed together with the
offsets behind it and may still be seen later: partitions learn one by one that a transaction has ended."""
SHOW_AGAIN_S = 10.0
"""A Redis that has lost everything shows a coil again after this, also one that stands still."""
CLOSE_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


class CoilLoop:
    """One member of the coil workers' group. Call `step` until stopped.

    Args:
        consumer: an unsubscribed group member (`kafka_clients.group_consumer`).
        producer: transactional, initialised.
        writers: put reports where they go; the same for every loop of this process.
        history: what is known of coils that have closed.
        clock: monotonic seconds, for the grace time.
        now: wall-clock time, for the delivery record only.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        writers: ReportWriters,
        history: CoilHistory,
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
        self._history = history
        self._rules = rules
        self._joining = joining
        self._live_view = live_view
        self._settings = settings or CoilLoopSettings()
        self._clock = clock
        self._now = now
        self._outbox = ReportOutbox(writers, clock)
        self._open: dict[CoilKey, OpenCoil] = {}
        self._position: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._failures = 0
        self._has_read_back = False
        self._stepped_at = self._looked_at = clock()
        self._rebalances = Rebalances(consumer)
        consumer.subscribe([INSPECTIONS_TOPIC], listener=self._rebalances)

    def step(self) -> None:
        """Read what is there, report coils that closed, close coils that ended, refresh the live view.

        Raises:
            KafkaError: the loop cannot go on; a new one rebuilds from the log.
            StoreHangsError: a report does not get written; another process must try.
        """
        self._forgive_pauses()
        fetched = self._consumer.poll(
            int(self._settings.poll_s * 1000), max_records=self._settings.poll_records
        )
        if self._rebalances.happened():
            self._rebuild()
            return
        member = membership(self._consumer)
        if member is None:
            if fetched:
                self._rebuild()
            return
        for partition, records in fetched.items():
            for record in records:
                self._read(record)
            self._position[partition.partition] = records[-1].offset + 1
        self._let_go()
        reports = self._write_reports()
        self._commit(reports, self._ended_coils(), member)
        if self._has_read_back and sum(map(len, fetched.values())) < self._settings.poll_records:
            # Megabytes of the log went through the clients' heaps, and this was the end of them.
            self._has_read_back = False
            hand_back_memory()
        for key, coil in self._open.items():
            self._show(key, coil)

    def close(self) -> None:
        """Leave the group at once, so that others take over; they rebuild from the log."""
        self._consumer.close(timeout_ms=CLOSE_TIMEOUT_S * 1000)
        self._producer.close(CLOSE_TIMEOUT_S)
        self._history.close()

    def _rebuild(self) -> None:
        """Drop all coils in hand and read the log again from the committed offsets."""
        self._open.clear()
        self._outbox.clear()
        self._position.clear()
        self._committed.clear()
        rewind_to_committed(self._consumer)
        self._has_read_back = True

    def _forgive_pauses(self) -> None:
        """What this loop slept through (Kafka away, the process stopped) is no silence of the coils."""
        now = self._clock()
        if now - self._stepped_at > LONG_STEP_S:
            for coil in self._open.values():
                coil.heard_at += now - self._stepped_at
        self._stepped_at = now

    def _read(self, record: ConsumerRecord) -> None:
        message = _message(record)
        if message is None:
            return
        key = coil_key(message)
        coil = self._open.get(key) or self._take_up(key, record, message)
        if coil is None:
            return
        coil.hear(record.partition, record.offset, self._clock())
        if isinstance(message, CoilClosed):
            self._close(key, coil, message, record)
        else:
            coil.account.take(message)

    def _take_up(self, key: CoilKey, record: ConsumerRecord, message: CoilRecord) -> OpenCoil | None:
        """The coil of a record that belongs to none in hand; None where its report tells of it already.

        Committed offsets go back to the oldest open coil, so the end of the log of coils that closed beside
        it is read again.
        """
        reported = self._history.known(key)
        if reported is None or not _tells_of(reported, record):
            reported = self._history.reported(key)
        if reported is None:
            coil = OpenCoil(CoilAccount(*key, joining=self._joining), written_at(record), self._clock())
        elif _tells_of(reported, record) or _said_before(reported, message):
            return None
        else:
            late = self._reopened(key, reported, record)
            if late is None:
                return None
            coil = late
        self._open[key] = coil
        return coil

    def _reopened(self, key: CoilKey, reported: CoilReported, record: ConsumerRecord) -> OpenCoil | None:
        """A coil that has closed, as it was before a late record; None where its log is not retained."""
        until = {**self._position, record.partition: record.offset}
        coil = OpenCoil(CoilAccount(*key, joining=self._joining), written_at(record), self._clock())
        for place in reported.log:
            coil.first[place.partition], coil.last[place.partition] = place.first, place.last
        try:
            self._recall(key, coil, until)
        except LogGoneError as error:
            log.warning("coil %s run %d: late records are left out: %s", key[1], key[2], error)
            return None
        return coil

    def _recall(self, key: CoilKey, coil: OpenCoil, until: dict[int, int]) -> None:
        """Make the account of a coil again from its log, up to these offsets."""
        log.info("coil %s run %d: its account is made again from the log", key[1], key[2])
        places = coil.log

        def records() -> Iterator[CoilRecord]:
            for record in self._history.records(key, places, until):
                coil.started_at = min(coil.started_at, written_at(record))
                message = _message(record)
                if message is not None:
                    yield message

        coil.account = recall(records, CoilAccount(*key, joining=self._joining))
        self._has_read_back = True

    def _close(self, key: CoilKey, coil: OpenCoil, closed: CoilClosed, record: ConsumerRecord) -> None:
        if not coil.account.opened or not coil.account.closes(closed):
            return
        if coil.account.stale:
            self._recall(key, coil, {**self._position, record.partition: record.offset})
        report = coil.account.report(closed, self._rules)
        self._outbox.add(key, report, self._delivery(key, coil, report))
        coil.account.close(closed)
        coil.closed()

    def _delivery(self, key: CoilKey, coil: OpenCoil, report: CoilReport) -> Delivery:
        counters = self._live_view.counters(key) if self._live_view else {}
        counts = coil.account.counts
        return Delivery(
            path="distributed",
            started_at=coil.started_at,
            closed_at=self._now(),
            revision=report.revision,
            frames_sent=counts.sent,
            duplicates=counts.duplicates,
            conflicts=counts.conflicts,
            late_frames=counts.late_frames,
            dead_letters=counts.unreadable,
            retries=counters.get("retries", 0) if counters else None,
            cache_hits=counters.get("cache_hits"),
            cache_skipped=counters.get("cache_skipped"),
            network_runs=counters.get("network_runs"),
        )

    def _write_reports(self) -> list[CoilReported]:
        """What was written meanwhile; the offsets that it tells of are no longer held back."""
        announcements = []
        for key, written in self._outbox.write().items():
            coil = self._open[key]
            announcements.append(_announcement(key, written, coil))
            if self._live_view:
                self._live_view.show(live_coil(key, coil.account, written.report))
            if not coil.announced():
                del self._open[key]
        return announcements

    def _let_go(self) -> None:
        """Let go of coils that will not be reported: they would hold the committed offset back for ever.

        These are coils whose opening never came, and closed ones of which nothing new came again. What was
        taken for a coil that had not closed and has a report is a late record: all is read again.
        """
        looks = self._clock() - self._looked_at >= LOOK_AGAIN_S
        if looks:
            self._looked_at = self._clock()
        for key, coil in list(self._open.items()):
            silent_s = self._clock() - coil.heard_at
            account = coil.account
            never_opened = not account.opened and silent_s >= self._settings.idle_s
            if account.revision:
                due = coil.reporting is not None or account.revision_due
                if not due and silent_s >= self._settings.grace_s:
                    del self._open[key]
            elif (looks or never_opened) and self._history.reported(key) is not None:
                self._rebuild()
                return
            elif never_opened:
                log.warning("coil %s run %d never opened: its records are left out", key[1], key[2])
                if self._live_view:
                    self._live_view.hide(key)
                del self._open[key]

    def _ended_coils(self) -> list[CoilClosed]:
        ended = []
        for coil in self._open.values():
            reason = coil.why_ended(self._clock(), self._settings)
            if reason is not None:
                coil.closing = True
                ended.append(coil.account.close_record(reason))
        return ended

    def _commit(
        self, reports: list[CoilReported], closings: list[CoilClosed], member: ConsumerGroupMetadata
    ) -> None:
        offsets = self._offsets()
        if not reports and not closings and offsets == self._committed:
            return
        try:
            self._producer.begin_transaction()
            for closing in closings:
                key = key_bytes(coil_key(closing))
                self._producer.send(INSPECTIONS_TOPIC, key=key, value=closing.to_json())
            for report in reports:
                self._producer.send(EVENTS_TOPIC, key=report_key(coil_key(report)), value=report.to_json())
            self._producer.send_offsets_to_transaction(
                {
                    TopicPartition(INSPECTIONS_TOPIC, partition): OffsetAndMetadata(offset, "", -1)
                    for partition, offset in offsets.items()
                },
                member,
            )
            self._producer.commit_transaction()
        except KafkaError as error:
            self._roll_back(error)
            return
        self._failures = 0
        self._committed = offsets
        for report in reports:
            self._history.remember(report)

    def _offsets(self) -> dict[int, int]:
        offsets = dict(self._position)
        for coil in self._open.values():
            for partition, held in coil.held.items():
                offsets[partition] = min(offsets.get(partition, held), held)
        return offsets

    def _roll_back(self, error: KafkaError) -> None:
        """Abort and rebuild everything from the committed offsets.

        Raises:
            KafkaError: it happened too often in a row, Kafka did not answer, or the producer is fenced: a new
                loop must begin.
        """
        self._failures += 1
        if self._failures > MOST_FAILURES or isinstance(error, KafkaTimeoutError):
            # After a time-out nobody knows what comes of the transaction, this producer neither.
            raise error
        log.warning("transaction rolled back, rebuilding from the log: %s", error)
        self._producer.abort_transaction()
        if isinstance(error, CommitFailedError):
            self._rebalances.join_again()
        self._rebuild()

    def _show(self, key: CoilKey, coil: OpenCoil) -> None:
        # A coil that has its report is shown as it was reported until there is another revision.
        shown_s = self._clock() - coil.shown_at
        due = (coil.changed and shown_s >= self._settings.live_view_s) or shown_s >= SHOW_AGAIN_S
        if self._live_view and due and not coil.account.revision:
            coil.changed = not self._live_view.show(live_coil(key, coil.account))
            coil.shown_at = self._clock()


def _message(record: ConsumerRecord) -> CoilRecord | None:
    try:
        return read_coil_record(record)
    except BadRecordError as error:
        log.warning("skipped offset %d of partition %d: %s", record.offset, record.partition, error)
        return None


def _tells_of(reported: CoilReported, record: ConsumerRecord) -> bool:
    """Whether a record is one of those that a report was made from."""
    return any(place.partition == record.partition and record.offset <= place.last for place in reported.log)


def _said_before(reported: CoilReported, message: CoilRecord) -> bool:
    """Whether a record closes a revision that is reported: a worker that rebuilt has said it once more."""
    return isinstance(message, CoilClosed) and message.revision <= reported.revision


def _announcement(key: CoilKey, written: WrittenReport, coil: OpenCoil) -> CoilReported:
    report = written.report
    line, name, run = key
    return CoilReported(
        line=line,
        coil=name,
        run=run,
        revision=report.revision,
        reason=report.revisions[-1].reason if report.revisions else None,
        decision=report.grade.decision,
        events=len(report.events),
        report_folder=str(written.location.folder),
        report_digest=written.location.digest,
        log=coil.reporting or (),
    )
