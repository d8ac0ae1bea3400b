"""A publisher that does not make the strip wait for Kafka: what Kafka does not take in time goes to disk."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.errors import IngestError, PublishError, SpoolError
from ingest.kafka import KafkaConnection
from ingest.publisher import MAX_BYTES_IN_FLIGHT, check_fits, new_trace_context
from ingest.records import CameraClosed, CoilKey, CoilOpened, EncodedFrame, FrameHeader
from ingest.spool import Spool
from ingest.spool_backlog import Backlog
from ingest.spool_entry import Entry, Handed
from ingest.spool_log import Open, open_file
from ingest.spool_marks import Marks
from ingest.spool_outbox import SPOOL_AFTER_S, Outbox, WhenFull
from ingest.spool_sender import SpoolSender

KEEP_S = 0.05
"""How late a sync may begin: a source that waits for it, at the end of a coil, does not notice."""
MARKS_FILE = "marks.log"


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """The spool of a publisher.

    Attributes:
        directory: of this publisher alone.
        limit_bytes: what may lie there.
        when_full: `block` the source, or `drop-oldest`: its frames become holes in the report.
        spool_after_s: how long Kafka may take before frames go to disk.
        open_with: how files are opened.
    """

    directory: Path
    limit_bytes: int
    when_full: WhenFull = "block"
    spool_after_s: float = SPOOL_AFTER_S
    open_with: Open = open_file


class SpoolingPublisher:
    """Publishes coils, by way of the disk where need be. One thread at a time may call it.

    A frame is acknowledged when Kafka has it or when its write to the spool was synced. A publisher that
    begins on the spool of one that died sends what is left there, and takes no frame that was acknowledged
    before; so a source is simply read again from its beginning.

    Args:
        connection: where Kafka is, or will be.

    Raises:
        SpoolInUseError: another publisher has the spool.
        SpoolError: the spool cannot be used.
    """

    def __init__(self, connection: KafkaConnection, spool: SpoolOptions) -> None:
        self._closed = False
        self._stopping = threading.Event()
        self._spool = Spool(spool.directory, limit_bytes=spool.limit_bytes, open_with=spool.open_with)
        try:
            self._marks = Marks(spool.directory / MARKS_FILE, spool.open_with)
            self._outbox = Outbox(
                self._spool,
                self._marks,
                when_full=spool.when_full,
                window_bytes=MAX_BYTES_IN_FLIGHT,
                spool_after_s=spool.spool_after_s,
            )
        except IngestError:
            self._spool.close()
            raise
        self._keeper = threading.Thread(target=self._keep, name="spool-keeper", daemon=True)
        self._keeper.start()
        self._sender = SpoolSender(connection, self._outbox)

    @property
    def backlog(self) -> Backlog:
        """How far Kafka is behind."""
        return self._outbox.backlog

    def open_coil(self, opened: CoilOpened) -> None:
        """Publish that a coil begins, unless it goes on; wait until that is acknowledged.

        Raises:
            IngestError: the spool cannot be written, or Kafka refuses for good.
        """
        self._control(opened)

    def has(self, header: FrameHeader) -> bool:
        """Whether a frame was acknowledged, by this publisher or one before it on this spool."""
        return self._outbox.is_acknowledged(header)

    def send(self, frame: EncodedFrame) -> None:
        """Publish a frame, unless it was acknowledged before; waits for room, not for its acknowledgement.

        Raises:
            BadImageError: the frame is larger than the topic takes.
            IngestError: the spool cannot be written, or Kafka refuses for good.
        """
        check_fits(frame)
        if not self.has(frame.header):
            self._outbox.put(self._entry(frame.header, frame.data))

    def close_camera(self, closed: CameraClosed) -> None:
        """Publish that a camera has sent its last frame, unless that is known; wait until acknowledged.

        Raises:
            IngestError: the spool cannot be written, or Kafka refuses for good.
        """
        self._control(closed)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything sent is acknowledged.

        Raises:
            PublishError: it took longer than `timeout_s`.
            IngestError: the spool cannot be written, or Kafka refuses for good.
        """
        if not self._outbox.wait_acknowledged(timeout_s):
            raise PublishError(f"neither Kafka nor the spool acknowledged within {timeout_s:g} s")

    def wait_delivered(self, timeout_s: float | None = None) -> bool:
        """Wait until Kafka has everything; whether that came about in time.

        Raises:
            IngestError: the spool cannot be written, or Kafka refuses for good.
        """
        return self._outbox.wait_delivered(timeout_s)

    def runs(self, line: str, coil: str) -> dict[int, bool]:
        """The runs of a coil that are not wholly in Kafka, and whether each still waits for its source."""
        return self._outbox.runs(line, coil)

    def forget(self, run: CoilKey) -> None:
        """A coil that was begun will not go on."""
        self._outbox.forget(run)

    def close(self) -> None:
        """Write to disk what Kafka does not have, and let go of both.

        Raises:
            IngestError: the spool cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        self._sender.stop()
        self._stopping.set()
        self._keeper.join()
        try:
            self._outbox.to_disk()
        finally:
            self._marks.close()
            self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()

    def _control(self, record: CoilOpened | CameraClosed) -> None:
        if not self._outbox.is_acknowledged(record):
            self._outbox.put(self._entry(record, b""))
            self.flush()

    def _entry(self, record: Handed, data: bytes) -> Entry:
        return Entry(record, data, new_trace_context(), int(time.time() * 1000))

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self._outbox.keep(KEEP_S)
            except IngestError as error:
                self._outbox.fail(error)
                return
            except OSError as error:
                self._outbox.fail(SpoolError(f"spool {self._spool.directory}: {error.strerror or error}"))
                return
