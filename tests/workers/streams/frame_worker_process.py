"""A frame worker in a process of its own, whose inspections wait until it is told to go on.

`python -m tests.workers.streams.frame_worker_process SERVER GROUP SESSION_MS`: says `IN_HAND` when its first
batch is under inspection, goes on at a line on standard input, ends when that is closed.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from ingest.kafka import KafkaConnection
from ingest.records import EncodedFrame
from tests.workers.streams.frames import InThisProcess
from workers.inspection.records import FrameResult
from workers.streams import kafka_clients
from workers.streams.frame_loop import FrameLoop
from workers.streams.settings import FrameLoopSettings

IN_HAND = "in hand"


class Held(InThisProcess):
    """Ends no inspection before `release`."""

    def __init__(self) -> None:
        super().__init__()
        self._released = False
        self._held: list[tuple[Future[list[FrameResult]], list[EncodedFrame]]] = []
        self._lock = threading.Lock()

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        future: Future[list[FrameResult]] = Future()
        with self._lock:
            if not self._released:
                self._held.append((future, list(frames)))
                return future
        return super().submit(frames)

    @property
    def holds(self) -> int:
        """Frames under inspection."""
        with self._lock:
            return sum(len(frames) for _, frames in self._held)

    def release(self) -> None:
        """End all inspections, and later ones at once."""
        with self._lock:
            self._released = True
            for future, frames in self._held:
                if future.set_running_or_notify_cancel():
                    future.set_result(self.inspector.analyse(frames))
            self._held.clear()


def main(server: str, group: str, session_ms: str) -> None:
    """Work until standard input is closed."""
    logging.basicConfig(level=logging.WARNING)
    kafka_clients.SESSION_TIMEOUT_MS = int(session_ms)
    connection, client, over = KafkaConnection(bootstrap_servers=server), Held(), threading.Event()
    loop = FrameLoop(
        kafka_clients.group_consumer(connection, group, "frames"),
        kafka_clients.transactional_producer(connection, "stopped-worker"),
        client,
        settings=FrameLoopSettings(group=group, batch_frames=4),
    )

    def listen() -> None:
        sys.stdin.readline()
        client.release()
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    told = False
    while not over.is_set():
        loop.step()
        if client.holds and not told:
            told = True
            sys.stdout.write(f"{IN_HAND}\n")
            sys.stdout.flush()
    loop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
