"""A coil inspected again with another model, from the frames that Kafka retains: its report is revised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

from ingest.kafka import INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import CoilKey, EncodedFrame, key_bytes
from orchestration.errors import OrchestrationError
from workers.coil.records import CoilReopened
from workers.in_process import BATCH_FRAMES
from workers.inspection.inspector import Inspector
from workers.inspection.placing import place
from workers.inspection.records import ModelIdentity
from workers.streams.coil_history import CoilHistory
from workers.streams.kafka_clients import fencing_producer
from workers.streams.result_cache import ResultCache
from workers.streams.retained_frames import FrameName, known_frames, retained_frames

TRANSACTION_TIMEOUT_MS, FRAME_TIMEOUT_MS = 30_000, 5
"""Of the one transaction, and more for each frame, whose inspection takes half a millisecond: a report is
revised by all of them or by none. One that was killed in it holds coil workers back for this long."""
LONGEST_TRANSACTION_MS = 900_000
"""What brokers allow unless they are told otherwise."""
MOST_BYTES_WAITING = 32 * 1024 * 1024
"""Handed to the producer and not yet acknowledged; it has no bound of its own."""
GAPS_SHOWN = 5


class NotReportedError(OrchestrationError):
    """A coil that has no report to revise, as far as Kafka knows."""


class FramesNotRetainedError(OrchestrationError):
    """Frames of a coil are not in Kafka any more."""


@dataclass(frozen=True)
class Reinspection:
    """What was inspected again.

    Attributes:
        revision: of the report that tells of it, once the coil worker has made it.
        frames: inspected again.
        cache_hits: of these, answered from the result cache.
        gone: frames that are not retained any more and keep the result that they have.
    """

    model: ModelIdentity
    revision: int
    frames: int
    cache_hits: int
    gone: tuple[FrameName, ...]


def reinspect(
    connection: KafkaConnection,
    key: CoilKey,
    inspector: Inspector,
    *,
    cache: ResultCache | None = None,
    partial: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Reinspection:
    """Inspect a reported coil again, and have the coil worker revise its report.

    Everything is inspected before anything is published, and published in one transaction: whatever ends this
    process, the report is revised by the whole of it or not at all.

    Args:
        cache: asked before the network is run.
        partial: go on where frames are not retained any more.
        progress: called with the frames done and all frames of the coil.

    Raises:
        NotReportedError: the coil has no report yet.
        FramesNotRetainedError: names the frames that Kafka does not have any more.
        LogGoneError: nor what was said of them: the report cannot be revised.
        KafkaError: Kafka cannot be reached.
    """
    history = CoilHistory(connection)
    try:
        reported = history.reported(key)
        if reported is None:
            raise NotReportedError(
                f"coil {key[1]} run {key[2]}: Kafka knows of no report that could be revised"
            )
        known = known_frames(history, key, reported)
    finally:
        history.close()
    with tempfile.TemporaryFile() as results:
        missing = dict.fromkeys(known.identities)
        frames = retained_frames(connection, key, known)
        hits = 0
        while batch := list(islice(frames, BATCH_FRAMES)):
            hits += _inspect(batch, inspector, cache, results)
            for frame in batch:
                del missing[frame.header.side, frame.header.camera, frame.header.sequence]
            if progress:
                progress(len(known.identities) - len(missing), len(known.identities))
        gone = tuple(sorted(missing))
        done = len(known.identities) - len(gone)
        if gone and not (partial and done):
            raise FramesNotRetainedError(_not_retained(key, gone, len(known.identities)))
        request = _request(key, inspector.identity, done, len(gone))
        _publish(connection, key, request, results)
    return Reinspection(inspector.identity, reported.revision + 1, done, hits, gone)


def gaps(frames: Iterable[FrameName]) -> str:
    """Frames in one line, as runs of sequences: `top/drive 0-119, top/work 0-118 and 3 runs more`."""
    runs: list[list[FrameName]] = []
    for frame in frames:
        last = runs[-1][-1] if runs else None
        if last is not None and frame == (*last[:2], last[2] + 1):
            runs[-1][1:] = [frame]
        else:
            runs.append([frame])
    shown = [_run(run[0], run[-1]) for run in runs[:GAPS_SHOWN]]
    further = len(runs) - len(shown)
    return ", ".join(shown) + (f" and {further} runs more" if further else "")


def _run(first: FrameName, last: FrameName) -> str:
    side, camera, sequence = first
    return f"{side}/{camera} {sequence}" + (f"-{last[2]}" if last != first else "")


def _inspect(
    frames: list[EncodedFrame], inspector: Inspector, cache: ResultCache | None, results: IO[bytes]
) -> int:
    """Append the inspections of frames to a file, one a line; how many the cache knew."""
    known = cache.get(frames, inspector.identity) if cache else None
    cached = known or [None] * len(frames)
    unknown = [frame for frame, hit in zip(frames, cached, strict=True) if hit is None]
    inspected = inspector.analyse(unknown)
    if cache:
        cache.put(unknown, inspected)
    fresh = iter(inspected)
    for frame, hit in zip(frames, cached, strict=True):
        results.write(place(frame.header, next(fresh) if hit is None else hit).to_json() + b"\n")
    return len(frames) - len(unknown)


def _request(key: CoilKey, model: ModelIdentity, frames: int, gone: int) -> CoilReopened:
    line, coil, run = key
    reason = f"inspected again with {model.name[:60]} {model.version[:60]}"
    if gone:
        reason += f", {gone} of {frames + gone} frames not retained"
    return CoilReopened(line=line, coil=coil, run=run, reason=reason, model=model.digest, frames=frames)


def _publish(connection: KafkaConnection, key: CoilKey, request: CoilReopened, results: IO[bytes]) -> None:
    """Append the request and all inspections to the coil's log, all or nothing.

    Raises:
        KafkaError: Kafka did not take them.
    """
    name = f"coilwatch-reinspection-{'/'.join(map(str, key))}"
    timeout_ms = TRANSACTION_TIMEOUT_MS + FRAME_TIMEOUT_MS * (request.frames or 0)
    producer = fencing_producer(
        connection, name, transaction_timeout_ms=min(timeout_ms, LONGEST_TRANSACTION_MS)
    )
    try:
        producer.begin_transaction()
        waiting = 0
        for value in _values(request, results):
            producer.send(INSPECTIONS_TOPIC, key=key_bytes(key), value=value)
            waiting += len(value)
            if waiting > MOST_BYTES_WAITING:
                producer.flush()
                waiting = 0
        producer.commit_transaction()
    except BaseException:
        # Whatever ends us: an open transaction would hold coil workers back until it times out.
        producer.abort_transaction()
        raise
    finally:
        producer.close()


def _values(request: CoilReopened, results: IO[bytes]) -> Iterator[bytes]:
    yield request.to_json()
    results.seek(0)
    for line in results:
        yield line.rstrip(b"\n")


def _not_retained(key: CoilKey, gone: tuple[FrameName, ...], frames: int) -> str:
    which = "none of its frames is" if len(gone) == frames else f"{len(gone)} of {frames} frames are not"
    return f"coil {key[1]} run {key[2]}: {which} retained in Kafka any more: {gaps(gone)}"
