"""The frame worker's loop: frames in, inspections and consumed offsets out in one transaction.

A batch lives through fetch, cache look-up, inspection, commit. The transaction opens after inference and its
offsets are those of the batch, never the consumer's position: a batch that is dropped on the way is read
again, by whoever owns the partition then.

While the inspectors are behind, the partitions are paused and polling goes on: the group sees a member that
lives, and no more bytes come in than one full batch beside those under inspection and what the consumer had
asked for.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError

from ingest.kafka import DEAD_LETTERS_TOPIC, FRAMES_TOPIC, INSPECTIONS_TOPIC
from ingest.records import CoilKey, EncodedFrame, coil_key, key_bytes
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, ModelIdentity
from workers.streams.batches import Batch, Gathering
from workers.streams.dead_letters import dead_letter
from workers.streams.live_view import LiveView
from workers.streams.result_cache import ResultCache
from workers.streams.rewinding import Rebalances, is_same_member, membership, rewind_to_committed
from workers.streams.settings import FrameLoopSettings

WAIT_SLICE_S = 0.05
"""How long one look at a running inspection takes before the loop looks at Kafka again."""
BRIEF_POLL_S = 0.01
"""While batches are in hand, Kafka is waited for no longer than this."""

MOST_FAILURES = 5
"""Transactions that may fail in a row before the loop gives up and a new one begins with new clients."""
FIRST_PAUSE_S = 0.1
"""Nothing is fetched for about so long after the first of them, twice as long after each further one.
Shorter, and all are used up while a broker restarts; longer, and a passing fault is felt on the strip."""
JITTER = (0.5, 1.5)
"""Workers that met the same broker do not come back in step."""
CLOSE_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


class InspectionClient(Protocol):
    """Where frames are inspected: another process, or this one."""

    def identity(self) -> ModelIdentity | None:
        """The model that would inspect a frame now, None while that is not known; never waits."""

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        """Start inspecting; the future holds one result per frame, in order."""

    def close(self) -> None:
        """Let go of what is under way; nobody waits for it any more."""


class FrameLoop:
    """One member of the frame workers' group. `step` does a little of everything; call it until stopped.

    Args:
        consumer: an unsubscribed group member (`kafka_clients.group_consumer`).
        producer: transactional, initialised.
        client: inspects frames, in another process as a rule.
        cache: None to run every frame through the network.
        live_view: counts how frames travelled; None where nobody looks.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        client: InspectionClient,
        *,
        cache: ResultCache | None = None,
        live_view: LiveView | None = None,
        settings: FrameLoopSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._client = client
        self._cache = cache
        self._live_view = live_view
        self._settings = settings or FrameLoopSettings()
        self._gathering = Gathering(self._settings, clock)
        self._in_flight: deque[Batch] = deque()
        self._failures = 0
        self._clock = clock
        self._resume_at = clock()
        self._untold: defaultdict[CoilKey, Counter[str]] = defaultdict(Counter)
        self._rebalances = Rebalances(consumer)
        consumer.subscribe([FRAMES_TOPIC], listener=self._rebalances)

    def step(self) -> None:
        """Fetch if there is room, start what waits, commit what is done."""
        self._fetch()
        self._start()
        self._finish()

    def close(self) -> None:
        """Abandon the batches in hand and leave the group at once, so that others take over."""
        self.forget()
        self._client.close()
        self._consumer.close(timeout_ms=CLOSE_TIMEOUT_S * 1000)
        self._producer.close(CLOSE_TIMEOUT_S)

    def forget(self) -> None:
        """Drop everything fetched and not committed. Whoever calls this rewinds or leaves."""
        for batch in self._in_flight:
            if batch.inspection is not None:
                batch.inspection.cancel()
        self._in_flight.clear()
        self._gathering.clear()

    def _fetch(self) -> None:
        """Poll Kafka, with all partitions paused while the next batch is full or a failure is just over."""
        recovering = self._clock() < self._resume_at
        if recovering or self._gathering.full:
            self._consumer.pause(*self._consumer.assignment())
            self._poll(BRIEF_POLL_S if recovering else 0.0)
        else:
            self._consumer.resume(*self._consumer.paused())
            busy = self._in_flight or len(self._gathering)
            self._poll(BRIEF_POLL_S if busy else self._settings.poll_s)

    def _poll(self, timeout_s: float) -> None:
        most = max(1, self._settings.batch_frames - len(self._gathering))
        fetched = self._consumer.poll(int(timeout_s * 1000), max_records=most)
        if self._rebalances.happened():
            self._begin_again()
            return
        records = [record for partition in fetched.values() for record in partition]
        if not records:
            return
        member, before = membership(self._consumer), self._gathering.member
        if member is None or (before is not None and not is_same_member(member, before)):
            log.warning("the group has given this worker up; it joins again")
            self._begin_again()
            return
        self._gathering.add(records, member)

    def _begin_again(self) -> None:
        """Drop what is in hand and read from the committed offsets."""
        self.forget()
        rewind_to_committed(self._consumer)

    def _start(self) -> None:
        while len(self._in_flight) < self._settings.batches_in_flight:
            batch = self._gathering.cut(idle=not self._in_flight)
            if batch is None:
                return
            frames = [frame for _, frame in batch.frames]
            batch.cached = [None] * len(frames)
            if self._cache and frames and (model := self._client.identity()):
                known = self._cache.get(frames, model)
                batch.cached, batch.cache_skipped = known or batch.cached, known is None
            unknown = batch.to_inspect()
            batch.inspection = self._client.submit(unknown) if unknown else None
            self._in_flight.append(batch)

    def _finish(self) -> None:
        while self._in_flight:
            batch = self._in_flight[0]
            if batch.inspection and wait([batch.inspection], WAIT_SLICE_S).not_done:
                return
            inspected = batch.inspection.result() if batch.inspection else []
            self._in_flight.popleft()
            self._commit(batch, inspected)

    def _commit(self, batch: Batch, inspected: list[FrameResult]) -> None:
        fresh = iter(inspected)
        results = [hit if hit is not None else next(fresh) for hit in batch.cached]
        try:
            self._producer.begin_transaction()
            for control in batch.controls:
                self._send(coil_key(control), control.to_json())
            for (record, frame), result in zip(batch.frames, results, strict=True):
                self._send(coil_key(frame.header), place(frame.header, result).to_json())
                if result.status == "unreadable":
                    self._dead_letter(record, result.reason or "unreadable", result.attempts)
            for record, error in batch.foreign:
                self._dead_letter(record, error, 1)
            self._producer.send_offsets_to_transaction(batch.offsets(), batch.member)
            self._producer.commit_transaction()
        except KafkaError as error:
            self._roll_back(error)
            return
        self._failures = 0
        self._after_commit(batch, inspected)

    def _send(self, key: CoilKey, value: bytes) -> None:
        self._producer.send(INSPECTIONS_TOPIC, key=key_bytes(key), value=value)

    def _dead_letter(self, record: ConsumerRecord, error: str, attempts: int) -> None:
        self._producer.send(DEAD_LETTERS_TOPIC, **dead_letter(record, error, attempts))

    def _roll_back(self, error: KafkaError) -> None:
        """Abort, and read again from the committed offsets: at once as a new member, else after a pause.

        Raises:
            KafkaError: it happened too often in a row, Kafka did not answer, or the producer is fenced: a new
                loop must begin.
        """
        self._failures += 1
        if self._failures > MOST_FAILURES or isinstance(error, KafkaTimeoutError):
            # After a time-out nobody knows what comes of the transaction, this producer neither.
            raise error
        log.warning("transaction rolled back: %s", error)
        self._producer.abort_transaction()
        if isinstance(error, CommitFailedError):
            self._rebalances.join_again()
        else:
            pause_s = FIRST_PAUSE_S * 2 ** (self._failures - 1) * random.uniform(*JITTER)
            self._resume_at = self._clock() + pause_s
        self._begin_again()

    def _after_commit(self, batch: Batch, inspected: list[FrameResult]) -> None:
        if self._cache:
            self._cache.put(batch.to_inspect(), inspected)
        if self._live_view is None:
            return
        fresh = iter(inspected)
        for (_, frame), hit in zip(batch.frames, batch.cached, strict=True):
            counts = self._untold[coil_key(frame.header)]
            counts["network_runs" if hit is None else "cache_hits"] += 1
            counts["cache_skipped"] += batch.cache_skipped
            counts["retries"] += 0 if hit is not None else next(fresh).attempts - 1
        for key, counts in list(self._untold.items()):
            if self._live_view.count(key, **counts):
                del self._untold[key]
