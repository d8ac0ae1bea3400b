"""How long a coil worker takes to have a long coil in hand again: after a restart, and for a late frame.

`python -m benchmarks.coil_rebuild 10000` prints the figures as JSON.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import typer
from kafka import KafkaProducer
from pydantic import BaseModel

from ingest.kafka import INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import CameraBand, CameraClosed, CoilOpened, Record, bytes_digest, key_bytes
from orchestration.settings import Settings
from orchestration.stack import Stack
from workers.coil.grading import GradingRules
from workers.coil.joining import JoiningSettings
from workers.inspection.records import Finding, Inspection, ModelIdentity
from workers.report.store import ReportStore
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import CoilLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.report_writers import ReportWriters
from workers.streams.settings import CoilLoopSettings

FRAMES = 10_000
FRAME_MM = 250.0
DEFECTIVE_EVERY = 4
"""One frame in so many has defects: more than on strip that anybody ships."""
FINDINGS = 3
THUMBNAIL_BYTES = 3_000
KEY = ("bench", "rebuild", 1)
BAND = CameraBand(side="top", camera="a", across_mm=0, columns=4096, mm_per_row=0.25, mm_per_column=0.25)
MODEL = ModelIdentity(name="bench", version="1", digest="0" * 32)
TIMEOUT_S = 120.0


class CoilRebuild(BaseModel):
    """What it takes to have a coil in hand.

    Attributes:
        log_mb: size of its records.
        restart_s: from a new worker's first step, with its joining the group, to the last frame of an open
            coil.
        restart_cpu_s: processor time of the same, which a busy machine does not stretch.
        join_s: the part of it until the first record.
        report_s: from the last record of the coil to its announced report.
        late_frame_s: from a late frame to the account that has it.
    """

    frames: int
    log_mb: float
    restart_s: float
    restart_cpu_s: float
    join_s: float
    report_s: float
    late_frame_s: float


def measure(frames: int = FRAMES) -> CoilRebuild:
    """Fill the log with a coil, and start coil workers on it."""
    with tempfile.TemporaryDirectory() as scratch:
        stack = Stack(Settings(run_directory=Path(scratch) / "run"))
        try:
            stack.up(["kafka"])
            return _measure(stack.kafka_connection(), ReportStore(f"{scratch}/reports"), frames)
        finally:
            stack.down()


def _measure(kafka: KafkaConnection, store: ReportStore, frames: int) -> CoilRebuild:
    line, coil, run = KEY
    closed = CameraClosed(
        line=line, coil=coil, run=run, side="top", camera="a", frames=frames, end_mm=frames * FRAME_MM
    )
    size = _append(kafka, _open_coil(frames))
    before = _loop(kafka, store)
    _seconds(before, lambda: _inspected(before) == frames)
    before.close()
    started_cpu = time.process_time()
    loop = _loop(kafka, store)
    join_s = _seconds(loop, lambda: KEY in loop._open)  # noqa: SLF001
    read_s = _seconds(loop, lambda: _inspected(loop) == frames)
    cpu_s = time.process_time() - started_cpu
    _append(kafka, [closed])
    report_s = _seconds(loop, lambda: KEY not in loop._open)  # noqa: SLF001
    _append(kafka, [_inspection(frames)])
    late_s = _seconds(loop, lambda: _inspected(loop) == frames + 1)
    loop.close()
    return CoilRebuild(
        frames=frames,
        log_mb=size / 1e6,
        restart_s=join_s + read_s,
        restart_cpu_s=cpu_s,
        join_s=join_s,
        report_s=report_s,
        late_frame_s=late_s,
    )


def _loop(kafka: KafkaConnection, store: ReportStore) -> CoilLoop:
    settings = CoilLoopSettings()
    return CoilLoop(
        group_consumer(kafka, settings.group, "inspections"),
        transactional_producer(kafka, "bench"),
        ReportWriters(store),
        CoilHistory(kafka),
        rules=GradingRules.load(None),
        joining=JoiningSettings(),
        settings=settings,
    )


def _inspected(loop: CoilLoop) -> int:
    coil = loop._open.get(KEY)  # noqa: SLF001
    return coil.account.counts.inspected if coil else 0


def _seconds(loop: CoilLoop, done: Callable[[], bool]) -> float:
    started = time.perf_counter()
    while not done():
        if time.perf_counter() - started > TIMEOUT_S:
            raise TimeoutError(f"not done after {TIMEOUT_S:.0f} s")
        loop.step()
    return time.perf_counter() - started


def _append(kafka: KafkaConnection, records: list[Record]) -> int:
    producer = KafkaProducer(**kafka.client_options(), linger_ms=5)
    size = 0
    for record in records:
        value = record.to_json()
        size += len(value)
        producer.send(INSPECTIONS_TOPIC, key=key_bytes(KEY), value=value)
    producer.flush()
    producer.close()
    return size


def _open_coil(frames: int) -> list[Record]:
    line, coil, run = KEY
    opened = CoilOpened(line=line, coil=coil, run=run, cameras=(BAND,))
    return [opened, *(_inspection(sequence) for sequence in range(frames))]


def _inspection(sequence: int) -> Inspection:
    line, coil, run = KEY
    along = sequence * FRAME_MM
    found = _findings(sequence, along) if sequence % DEFECTIVE_EVERY == 0 else ()
    return Inspection(
        line=line,
        coil=coil,
        run=run,
        side="top",
        camera="a",
        sequence=sequence,
        along_mm=along,
        across_mm=0,
        mm_per_row=0.25,
        mm_per_column=0.25,
        height=1000,
        width=4096,
        digest=_digest("pixels", sequence),
        status="inspected",
        model=MODEL,
        left_edge_mm=12.0,
        right_edge_mm=1010.0,
        findings=tuple(found),
    )


def _findings(sequence: int, along: float) -> Iterator[Finding]:
    picture = b64encode(blake2b(str(sequence).encode()).digest() * (THUMBNAIL_BYTES // 64)).decode()
    for component in range(FINDINGS):
        start, left = along + 70 * component, 100.0 + 200 * component
        outline = tuple((start + step, left + step % 7) for step in range(40))
        yield Finding(
            id=_digest("finding", sequence, component),
            component=component,
            score=0.8,
            area_mm2=120.0,
            start_mm=start,
            end_mm=start + 39,
            left_mm=left,
            right_mm=left + 6,
            outline=outline,
            thumbnail=picture,
        )


def _digest(*parts: object) -> str:
    return bytes_digest(repr(parts).encode())


def main(
    frames: Annotated[int, typer.Argument(min=1, help="Length of the coil in frames.")] = FRAMES,
) -> None:
    """Measure a coil worker's restart on an open coil, its report, and a late frame; print JSON."""
    print(measure(frames).model_dump_json(indent=2))


if __name__ == "__main__":
    typer.run(main)
