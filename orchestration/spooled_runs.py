"""Which run of a coil a publisher with a spool publishes: one that goes on, or the next one."""

from __future__ import annotations

import time
from collections.abc import Callable

from kafka.errors import KafkaError

from ingest.broker_probe import wait_for_broker
from ingest.errors import PublishError
from ingest.kafka import KafkaConnection
from ingest.spool_publisher import SpoolingPublisher
from orchestration.line import next_run
from workers.report.store import ReportStore

LOOK_S = 2.0
"""For one look at whether Kafka is there."""


def spooled_run(
    connection: KafkaConnection,
    store: ReportStore,
    publisher: SpoolingPublisher,
    line_and_coil: tuple[str, str],
    tell: Callable[[str], None],
) -> int:
    """The run that a publisher before this one left and that is not wholly in Kafka, else the next one.

    Only Kafka knows the next one, so that is waited for. A run whose report was written meanwhile is over:
    what the source still has of it is a new run.

    Args:
        tell: told when the source has nothing new, and once when Kafka is waited for.

    Raises:
        KafkaError: Kafka refuses for good.
        StoreError: the store could not be read.
    """
    line, coil = line_and_coil
    known = publisher.runs(line, coil)
    for run, waits in sorted(known.items(), reverse=True):
        if not store.has(line, coil, run):
            if not waits:
                tell(f"All of coil {coil} run {run} is safe already; --run {run + 1} begins another run.")
            return run
        # What is whole on disk is forgotten once Kafka has it: until then its drops must be known.
        if waits:
            publisher.forget((line, coil, run))
    told = False
    while True:
        try:
            wait_for_broker(connection, LOOK_S)
            return max([next_run(connection, store, line, coil), *(run + 1 for run in known)])
        except (PublishError, KafkaError) as error:
            if not error.retriable:
                raise
            if not told:
                tell(f"{error}. Waiting for it: it knows the run of coil {coil}; with --run nothing waits.")
            told = True
            time.sleep(LOOK_S / 10)
