"""The thread between an outbox and Kafka: sends, tries again, and begins anew with a new producer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError

from ingest.broker_probe import wait_for_broker
from ingest.errors import IngestError, PublishError, SpoolError
from ingest.kafka import CONTROL_HEADER, EVENTS_TOPIC, FRAME_HEADER, FRAMES_TOPIC, KafkaConnection
from ingest.publisher import (
    TRACE_HEADER,
    camera_key,
    control_partition,
    frame_partition,
    frames_producer,
    one_line_cause,
)
from ingest.records import CoilOpened, FrameHeader, coil_key, key_bytes
from ingest.spool_entry import Entry
from ingest.spool_outbox import Outbox

PROBE_S = 1.0
"""How long a broker is looked for before the thread sees whether it should stop."""
ANSWER_TIMEOUT_S = 5.0
"""For a broker that accepts connections and does not answer: the next attempt may find it well."""
WAIT_S = 0.1
CLOSE_TIMEOUT_S = 1.0
"""For what is under way at the end; it is on disk as well, and Kafka ignores what it gets again."""
MOST_REFUSALS = 3
"""Times in a row that Kafka may refuse for good, nothing sent in between, before the publisher ends: a new
producer cures what only the old one's state was refused for."""

log = logging.getLogger(__name__)


class SpoolSender:
    """Sends what an outbox holds. Begins at once; Kafka need not be there."""

    def __init__(self, connection: KafkaConnection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._attempt = 0
        self._refusals = 0
        self._thread = threading.Thread(target=self._run, name="spool-sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give what is under way a few seconds, and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._attempt += 1
                try:
                    self._send_until_it_fails()
                except (KafkaError, PublishError) as error:
                    self._begin_anew(error)
        except (IngestError, OSError) as error:
            self._outbox.fail(_of_the_disk(error))
        finally:
            if not self._stopping.is_set():
                self._outbox.fail(PublishError("sending to Kafka has ended"))

    def _send_until_it_fails(self) -> None:
        wait_for_broker(self._connection, PROBE_S)
        producer = frames_producer(self._connection, ANSWER_TIMEOUT_S)
        self._error = None
        try:
            while not self._stopping.is_set():
                if self._error is not None:
                    raise PublishError(one_line_cause(self._error)) from self._error
                found = self._outbox.next_to_send(WAIT_S)
                if found is not None:
                    self._send(producer, *found)
        finally:
            with suppress(KafkaError):
                producer.close(timeout=CLOSE_TIMEOUT_S if self._error is None else 0)

    def _begin_anew(self, error: Exception) -> None:
        refusal = error.__cause__ or error
        where = self._connection.bootstrap_servers
        cause = one_line_cause(error)
        cause = cause if where in cause else f"Kafka at {where}: {cause}"
        self._refusals = 0 if getattr(refusal, "retriable", False) else self._refusals + 1
        if self._refusals >= MOST_REFUSALS:
            self._outbox.fail(PublishError(cause))
            self._stopping.set()
            return
        log.info("sending again: %s", cause)
        self._outbox.send_again(cause)
        self._stopping.wait(WAIT_S)

    def _send(self, producer: KafkaProducer, number: int, entry: Entry) -> None:
        record, trace = entry.record, (TRACE_HEADER, entry.trace)
        partitions = len(producer.partitions_for(FRAMES_TOPIC))
        acknowledged = self._acknowledger(number, records=1)
        if isinstance(record, FrameHeader):
            headers = [(FRAME_HEADER, record.to_json()), trace]
            key, value, partition = camera_key(record), entry.data, frame_partition(record, partitions)
        else:
            headers = [(CONTROL_HEADER, record.kind.encode()), trace]
            key = record.line.encode() if isinstance(record, CoilOpened) else camera_key(record)
            value, partition = record.to_json(), control_partition(key, partitions)
        if isinstance(record, CoilOpened):
            acknowledged = self._acknowledger(number, records=2)
            opening = producer.send(EVENTS_TOPIC, key=key_bytes(coil_key(record)), value=value)
            opening.add_callback(acknowledged).add_errback(self._failed, self._attempt)
        sent = producer.send(FRAMES_TOPIC, key=key, value=value, headers=headers, partition=partition)
        sent.add_callback(acknowledged).add_errback(self._failed, self._attempt)

    def _acknowledger(self, number: int, records: int) -> Callable[[object], None]:
        """Tells the outbox once all records of an entry are in Kafka; called on the producer's thread."""
        waiting = records

        def acknowledged(_metadata: object) -> None:
            nonlocal waiting
            waiting -= 1
            if waiting:
                return
            self._refusals = 0
            try:
                self._outbox.delivered(number)
            except (IngestError, OSError) as error:
                self._outbox.fail(_of_the_disk(error))

        return acknowledged

    def _failed(self, attempt: int, error: BaseException) -> None:
        if attempt == self._attempt:
            self._error = self._error or error


def _of_the_disk(error: IngestError | OSError) -> IngestError:
    return error if isinstance(error, IngestError) else SpoolError(f"spool: {error.strerror or error}")
