"""How fast the edge spools while Kafka is away: `python -m benchmarks.spooling [FOLDER]`."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from ingest.kafka import KafkaConnection
from ingest.records import EncodedFrame, FrameHeader, bytes_digest
from ingest.spool_publisher import SpoolingPublisher, SpoolOptions

SIZES = (20_000, 100_000, 1_000_000)
TOTAL_BYTES = 300_000_000
LIMIT_BYTES = 2 * TOTAL_BYTES
NOWHERE = KafkaConnection(bootstrap_servers="127.0.0.1:1")


def spool(folder: Path, frame_bytes: int) -> tuple[float, float]:
    """Spool frames of one size.

    Returns:
        Frames synced a second, and the longest that the source waited for one, in seconds.
    """
    data = os.urandom(frame_bytes)
    frames = [EncodedFrame(_header(at, bytes_digest(data)), data) for at in range(TOTAL_BYTES // frame_bytes)]
    slowest_s = 0.0
    with SpoolingPublisher(NOWHERE, SpoolOptions(folder, LIMIT_BYTES, spool_after_s=0.0)) as publisher:
        began = time.perf_counter()
        for frame in frames:
            before = time.perf_counter()
            publisher.send(frame)
            slowest_s = max(slowest_s, time.perf_counter() - before)
        publisher.flush()
        return len(frames) / (time.perf_counter() - began), slowest_s


def _header(sequence: int, digest: str) -> FrameHeader:
    return FrameHeader(
        line="line-1",
        coil="bench",
        side="top",
        camera="a",
        sequence=sequence,
        along_mm=float(sequence),
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=100,
        width=100,
        encoding="raw",
        digest=digest,
    )


def main(
    folder: Annotated[
        Path | None,
        typer.Argument(
            exists=True, file_okay=False, help="On the disk to measure.", show_default="the temporary folder"
        ),
    ] = None,
) -> None:
    """Measure how fast the edge spools frames of three sizes while Kafka is away."""
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=folder) as directory:
            rate, slowest = spool(Path(directory), size)
        megabytes = rate * size / 1e6
        print(f"{size:>9} B: {rate:6.0f} frames/s, {megabytes:4.0f} MB/s, slowest {slowest * 1000:.0f} ms")


if __name__ == "__main__":
    typer.run(main)
