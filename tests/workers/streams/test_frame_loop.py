"""The frame loop beside inspectors that are behind, and after a sleep past its session; a real broker."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest

from ingest.kafka import KafkaConnection
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from tests.workers.streams.frame_worker_process import IN_HAND, Held
from tests.workers.streams.frames import InThisProcess, frame
from tests.workers.streams.topics import begin_at_the_end, drop_frames, inspections_of, step_until
from workers.inspection.records import Inspection
from workers.streams import kafka_clients
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.messages import read_inspection_record
from workers.streams.settings import FrameLoopSettings

pytestmark = pytest.mark.stack

SESSION_MS = 2_000
BEHIND_S = 3 * SESSION_MS / 1000
"""How long the inspectors stand still: a member that did not live would be missed three times."""
LARGE_BYTES = 1024 * 1024
LARGE_FRAMES = 200
MOST_MEMORY = 96 * 1024 * 1024
"""Two answers of the broker, two batches under inspection and one in waiting, some of it twice."""
BATCH_BYTES = 4 * 1024 * 1024
FRAMES = 40


@pytest.fixture
def group(kafka: KafkaConnection, monkeypatch: pytest.MonkeyPatch) -> str:
    """A group whose members are missed soon, and that reads what is published from now on."""
    monkeypatch.setattr(kafka_clients, "SESSION_TIMEOUT_MS", SESSION_MS)
    name = f"loop-{uuid.uuid4().hex}"
    begin_at_the_end(kafka, name)
    return name


Loops = Callable[[InThisProcess], FrameLoop]


@pytest.fixture
def loops(kafka: KafkaConnection, group: str) -> Iterator[Loops]:
    """Makes frame loops of the group."""
    made: list[FrameLoop] = []

    def make(client: InThisProcess) -> FrameLoop:
        loop = FrameLoop(
            group_consumer(kafka, group, "frames"),
            transactional_producer(kafka, "test-loop"),
            client,
            settings=FrameLoopSettings(group=group, batch_frames=8, batch_bytes=BATCH_BYTES),
        )
        made.append(loop)
        return loop

    yield make
    for loop in made:
        loop.close()
    drop_frames(kafka)


def publish(kafka: KafkaConnection, frames: list[EncodedFrame]) -> None:
    with Publisher(kafka) as publisher:
        for one in frames:
            publisher.send(one)


def sequences(kafka: KafkaConnection, coil: str) -> list[int]:
    """Sequences of a coil's inspections, sorted; a frame that was committed twice is there twice."""
    records = [read_inspection_record(value) for value in inspections_of(kafka, coil)]
    return sorted(record.sequence for record in records if isinstance(record, Inspection))


def test_inspectors_that_are_behind_cost_neither_memory_nor_membership(
    kafka: KafkaConnection, loops: Loops, coil: str
) -> None:
    pixels = bytes(LARGE_BYTES)
    client = Held()
    loop = loops(client)
    step_until(lambda: bool(loop._consumer.assignment()), loop)
    member = loop._consumer.group_metadata()
    publish(kafka, [EncodedFrame(frame(coil, n).header, pixels) for n in range(LARGE_FRAMES)])
    before = psutil.Process().memory_info().rss
    step_until(lambda: loop._gathering.full and len(loop._in_flight) == 2, loop)
    until = time.monotonic() + BEHIND_S
    while time.monotonic() < until:
        loop.step()
    grown = psutil.Process().memory_info().rss - before
    assert grown < MOST_MEMORY, (
        f"{grown / 1e6:.0f} MB for {LARGE_FRAMES * LARGE_BYTES / 1e6:.0f} MB of frames"
    )
    assert loop._consumer.paused() == loop._consumer.assignment()
    assert client.holds * LARGE_BYTES <= 2 * BATCH_BYTES
    now = loop._consumer.group_metadata()
    assert (now.member_id, now.generation_id) == (member.member_id, member.generation_id)
    client.release()
    # Looking reads the whole topic: not after every step.
    steps = count()
    step_until(lambda: next(steps) % 10 == 0 and len(sequences(kafka, coil)) >= LARGE_FRAMES, loop)
    assert sequences(kafka, coil) == list(range(LARGE_FRAMES))


@pytest.fixture
def stopped_worker(kafka: KafkaConnection, group: str, coil: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process with a batch of the coil in hand, stopped."""
    publish(kafka, [frame(coil, n) for n in range(FRAMES)])
    worker = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.workers.streams.frame_worker_process",
            kafka.bootstrap_servers,
            group,
            str(SESSION_MS),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline().strip() == IN_HAND
        worker.send_signal(signal.SIGSTOP)
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def test_a_worker_that_slept_past_its_session_commits_nothing_of_the_past(
    kafka: KafkaConnection, loops: Loops, coil: str, stopped_worker: subprocess.Popen[str]
) -> None:
    loop = loops(InThisProcess())
    step_until(lambda: len(sequences(kafka, coil)) >= FRAMES, loop)
    assert stopped_worker.stdin is not None
    stopped_worker.stdin.write("go\n")
    stopped_worker.stdin.flush()
    stopped_worker.send_signal(signal.SIGCONT)
    publish(kafka, [frame(coil, n) for n in range(FRAMES, 2 * FRAMES)])
    step_until(lambda: len(sequences(kafka, coil)) >= 2 * FRAMES, loop)
    partitions = len(loop._consumer.partitions_for_topic("coilwatch.frames"))
    step_until(lambda: len(loop._consumer.assignment()) < partitions, loop)
    stopped_worker.communicate(timeout=30)
    assert sequences(kafka, coil) == list(range(2 * FRAMES))
    assert stopped_worker.returncode == 0
