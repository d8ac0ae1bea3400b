"""A publisher in a process of its own, to be killed: `python -m tests.faults.publisher_process ARGUMENTS`.

It says on standard output, a number a line, how many frames were acknowledged to it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.kafka import KafkaConnection
from ingest.records import CameraBand, EncodedFrame, FrameHeader, bytes_digest
from ingest.sources.source import CoilSource, Picture
from ingest.spool_publisher import SpoolingPublisher, SpoolOptions
from orchestration.streaming import stream
from tests.faults.small_coil import SmallCoil

LIMIT_BYTES = 500_000_000
FRAME_BYTES = 20_000
MM_PER_FRAME = 10.0


@dataclass(frozen=True, slots=True)
class _Feed:
    band: CameraBand
    total: int

    def pictures(self) -> Iterator[Picture]:
        for at in range(self.total):
            data = f"{self.band.camera}-{at}".encode().ljust(FRAME_BYTES, b"\0")
            yield Picture(data, "raw", bytes_digest(data), 10, at * MM_PER_FRAME)


class PlainCoil(CoilSource):
    """Two cameras whose frames are nothing but bytes: for tests that end at Kafka."""

    def __init__(self, coil: str, frames_per_camera: int) -> None:
        bands = [
            CameraBand(side="top", camera=name, across_mm=0, columns=10, mm_per_row=1, mm_per_column=1)
            for name in ("left", "right")
        ]
        super().__init__([_Feed(band, frames_per_camera) for band in bands], line="line-1", coil=coil)


class PublisherProcess:
    """Such a process.

    Args:
        servers: where Kafka is, or will be.
        coil: its id; a plain one of so many frames a camera, or with 0 frames a small one of real steel.

    Attributes:
        acknowledged: frames that it was told are safe.
    """

    def __init__(self, servers: str, spool: Path, coil: str, *, frames: int, speed_mps: float) -> None:
        arguments = [servers, str(spool), coil, str(frames), str(speed_mps)]
        command = [sys.executable, "-m", "tests.faults.publisher_process", *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        self.acknowledged = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """`kill -9`; what it said until then is read."""
        self.process.kill()
        self.wait()

    def wait(self, timeout_s: float = 90) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(timeout_s)
        self._reader.join(10)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.acknowledged = int(line)


class TellingPublisher(SpoolingPublisher):
    """Tells after each frame how many of those it took are acknowledged by now."""

    def __init__(self, connection: KafkaConnection, spool: SpoolOptions) -> None:
        super().__init__(connection, spool)
        self._waiting: deque[FrameHeader] = deque()
        self._acknowledged = 0

    def send(self, frame: EncodedFrame) -> None:
        super().send(frame)
        self._waiting.append(frame.header)
        while self._waiting and self.has(self._waiting[0]):
            self._waiting.popleft()
            self._acknowledged += 1
        sys.stdout.write(f"{self._acknowledged}\n")
        sys.stdout.flush()


def main(servers: str, spool: str, coil: str, frames: str, speed_mps: str) -> None:
    """Publish a coil, and stay until Kafka has it."""
    source = PlainCoil(coil, int(frames)) if int(frames) else SmallCoil(coil)
    options = SpoolOptions(Path(spool), LIMIT_BYTES)
    with TellingPublisher(KafkaConnection(bootstrap_servers=servers), options) as publisher:
        stream(source, publisher, speed_mps=float(speed_mps))
        publisher.wait_delivered()


if __name__ == "__main__":
    main(*sys.argv[1:])
