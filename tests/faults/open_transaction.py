"""A worker that dies in its transaction: `python -m tests.faults.open_transaction SERVER KEY`."""

from __future__ import annotations

import signal
import sys

from ingest.kafka import INSPECTIONS_TOPIC, KafkaConnection
from workers.streams.kafka_clients import transactional_producer

OPEN = "open"


def main(server: str, key: str) -> None:
    """Write a record that is never committed, say so, and wait for the end."""
    producer = transactional_producer(KafkaConnection(bootstrap_servers=server), "dying-worker")
    producer.begin_transaction()
    producer.send(INSPECTIONS_TOPIC, key=key.encode(), value=b"{}").get(30)
    sys.stdout.write(f"{OPEN}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
