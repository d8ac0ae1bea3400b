"""Publishes frames and control records to Kafka: idempotent, acknowledged by all, bounded in flight."""

from __future__ import annotations

import os
import secrets
import zlib
from types import TracebackType
from typing import Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from ingest.bootstrap_cause import bootstrap_cause
from ingest.broker_probe import wait_for_broker
from ingest.byte_window import ByteWindow
from ingest.errors import BadImageError, PublishError
from ingest.kafka import (
    CONTROL_HEADER,
    EVENTS_TOPIC,
    FRAME_HEADER,
    FRAMES_TOPIC,
    MAX_FRAME_BYTES,
    KafkaConnection,
)
from ingest.records import CameraClosed, CoilOpened, EncodedFrame, FrameHeader, coil_key, key_bytes, name_of

TRACE_HEADER = "traceparent"
FRAMES_PER_RUN = 16
"""Frames of a camera that go to one partition before the next has its turn: a batch for one worker."""
MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
"""Hides a broker's pause of a second at 60 MB/s; larger only costs memory beside the camera."""
BATCH_BYTES = 1024 * 1024
"""A partition has one batch under way at a time; smaller batches wait for each other's acknowledgement."""
ENVELOPE_BYTES = 1024 * 1024
"""What a request may hold beside the pixels of the largest frame: key, headers, batch."""
METADATA_MAX_AGE_MS = 10_000
"""Added partitions get frames after this long; the library's five minutes would leave them empty."""
CONNECT_TIMEOUT_S = 10.0
"""A broker that starts with us listens after 3 s; somebody waits for the message that there is none."""
DELIVERY_TIMEOUT_S = 120.0
"""A broker that restarts is back within a minute. Beyond this a frame is given up and its sender told."""
CLOSE_TIMEOUT_S = 5.0
_REQUEST_TIMEOUT_MS = 30_000


def frame_partition(header: FrameHeader, partitions: int) -> int:
    """The partition of a frame: runs of `FRAMES_PER_RUN`, each camera beginning somewhere else."""
    start = zlib.crc32(camera_key(header))
    return (start + header.sequence // FRAMES_PER_RUN) % partitions


def control_partition(key: bytes, partitions: int) -> int:
    """The partition of a control record."""
    return zlib.crc32(key) % partitions


class Publisher:
    """Publishes coils to the frames topic. One thread at a time may call it.

    A record that failed ends this publisher: every later call raises what went wrong first.

    Args:
        connection: where Kafka is.
        max_bytes_in_flight: `send` waits while this many bytes are not acknowledged.
        connect_timeout_s: how long to look for a broker.

    Raises:
        PublishError: no broker in time, or no frames topic there.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._servers = connection.bootstrap_servers
        self._window = ByteWindow(max_bytes_in_flight)
        wait_for_broker(connection, connect_timeout_s)
        with bootstrap_cause(connection) as cause:
            try:
                self._producer = frames_producer(connection, connect_timeout_s)
            except KafkaError as error:
                raise PublishError(f"no answer from Kafka at {self._servers}: {cause.of(error)}") from None
        try:
            self._partitions()
        except PublishError:
            self.close()
            raise

    def open_coil(self, opened: CoilOpened) -> None:
        """Publish that a coil begins, and wait until it is durable: no frame may come before it.

        The opening goes to the events topic as well, under the coil's key, so that a coil id that comes again
        is known to be a new run.

        Raises:
            PublishError: Kafka did not take it in time.
        """
        self._publish(
            f"opening of {opened.coil}",
            key_bytes(coil_key(opened)),
            opened.to_json(),
            [],
            None,
            topic=EVENTS_TOPIC,
        )
        self._send_control(opened, opened.line.encode())

    def has(self, header: FrameHeader) -> bool:  # noqa: ARG002 - publishers with a memory know some
        """Whether a frame was acknowledged by a publisher before this one: without a spool, none is known."""
        return False

    def send(self, frame: EncodedFrame) -> None:
        """Publish a frame; waits for room, not for its own acknowledgement.

        Raises:
            BadImageError: the frame is larger than the topic takes.
            PublishError: Kafka did not take this frame or one before it.
        """
        check_fits(frame)
        header = frame.header
        partition = frame_partition(header, self._partitions())
        headers = [(FRAME_HEADER, header.to_json()), (TRACE_HEADER, new_trace_context())]
        self._publish(name_of(header), camera_key(header), frame.data, headers, partition)

    def close_camera(self, closed: CameraClosed) -> None:
        """Publish that a camera has sent its last frame, after all frames are durable, and wait for it.

        Raises:
            PublishError: Kafka did not take it, or a frame before it, in time.
        """
        self.flush()
        self._send_control(closed, camera_key(closed))

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything sent is durable.

        Args:
            timeout_s: how long; None for as long as a record is tried.

        Raises:
            PublishError: Kafka did not take a record in time.
        """
        wait_s = DELIVERY_TIMEOUT_S + CLOSE_TIMEOUT_S if timeout_s is None else timeout_s
        in_time = self._window.wait_empty(wait_s)
        self._raise_failure()
        if not in_time:
            waiting = self._window.bytes_in_flight
            raise PublishError(
                f"Kafka at {self._servers} did not acknowledge within {wait_s:g} s, {waiting} bytes wait"
            )

    def close(self) -> None:
        """Let go of Kafka. What is under way gets a few seconds more; call `flush` to be sure."""
        self._producer.close(timeout=CLOSE_TIMEOUT_S)

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

    def _send_control(self, record: CoilOpened | CameraClosed, key: bytes) -> None:
        partition = control_partition(key, self._partitions())
        headers = [(CONTROL_HEADER, record.kind.encode()), (TRACE_HEADER, new_trace_context())]
        self._publish(name_of(record), key, record.to_json(), headers, partition)
        self.flush()

    def _publish(
        self,
        name: str,
        key: bytes,
        value: bytes,
        headers: list[tuple[str, bytes]],
        partition: int | None,
        *,
        topic: str = FRAMES_TOPIC,
    ) -> None:
        self._raise_failure()
        self._window.enter(len(value))
        try:
            self._raise_failure()
            sent = self._producer.send(topic, key=key, value=value, headers=headers, partition=partition)
        except (KafkaError, PublishError) as error:
            failure = self._error(name, error)
            self._window.leave(len(value), failure)
            raise failure from None
        sent.add_callback(self._acknowledged, len(value))
        sent.add_errback(self._failed, len(value), name)

    def _acknowledged(self, size: int, _metadata: object) -> None:
        self._window.leave(size)

    def _failed(self, size: int, name: str, error: BaseException) -> None:
        self._window.leave(size, self._error(name, error))

    def _raise_failure(self) -> None:
        if self._window.failure:
            raise PublishError(str(self._window.failure))

    def _error(self, name: str, error: BaseException) -> PublishError:
        if isinstance(error, PublishError):
            return error
        return PublishError(f"Kafka at {self._servers} did not take {name}: {one_line_cause(error)}")

    def _partitions(self) -> int:
        try:
            return len(self._producer.partitions_for(FRAMES_TOPIC))
        except KafkaError as error:
            raise PublishError(
                f"no topic {FRAMES_TOPIC} at {self._servers}: {one_line_cause(error)}"
            ) from None


def frames_producer(connection: KafkaConnection, connect_timeout_s: float) -> KafkaProducer:
    """An idempotent producer for frames.

    Raises:
        KafkaError: no broker answers in time.
    """
    return KafkaProducer(
        **connection.client_options(),
        client_id=f"coilwatch-ingest-{os.getpid()}",
        enable_idempotence=True,
        acks="all",
        compression_type=None,
        batch_size=BATCH_BYTES,
        max_request_size=MAX_FRAME_BYTES + ENVELOPE_BYTES,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        bootstrap_timeout_ms=int(connect_timeout_s * 1000),
        max_block_ms=int(connect_timeout_s * 1000),
        delivery_timeout_ms=int(DELIVERY_TIMEOUT_S * 1000),
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        reconnect_backoff_max_ms=1_000,
        allow_auto_create_topics=False,
    )


def check_fits(frame: EncodedFrame) -> None:
    """Check that the topic takes a frame of this size.

    Raises:
        BadImageError: names the frame, the limit and what came.
    """
    if len(frame.data) > MAX_FRAME_BYTES:
        raise BadImageError(
            f"{name_of(frame.header)}: expected at most {MAX_FRAME_BYTES} bytes, got {len(frame.data)}"
        )


def camera_key(record: FrameHeader | CameraClosed) -> bytes:
    """The Kafka key of a camera's records."""
    return f"{record.line}/{record.side}/{record.camera}".encode()


def new_trace_context() -> bytes:
    """A new W3C trace context: version, trace id, span id, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01".encode()


def one_line_cause(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
