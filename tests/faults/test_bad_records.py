"""Records that are broken, hostile, foreign, repeated or out of order."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import cv2
import numpy as np
from kafka import KafkaProducer

from ingest.kafka import CONTROL_HEADER, FRAME_HEADER, FRAMES_TOPIC
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from tests.faults.calm import CalmLine
from tests.faults.line import FaultLine, kill
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.small_coil import Rearranged, SmallCoil
from tests.faults.verdict import expect_calm_report
from tests.workers.streams.header_names import NameInBytes
from workers.report.json_report import read_report

pytestmark = fault_test

Headers = list[tuple[str, bytes]]
BOMB_SIDE_PX = 10_000
"""100 MB of pixels in a PNG of half a megabyte."""


@each_seed
def test_frames_that_cannot_be_decoded_cost_only_themselves(
    line: FaultLine, calm: CalmLine, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"undecodable-{seed}", seed)
    frames = list(coil.frames())
    corrupt, cut, bomb = random_.sample(range(len(frames)), 3)
    frames[corrupt] = EncodedFrame(frames[corrupt].header, random_.randbytes(5_000))
    frames[cut] = EncodedFrame(frames[cut].header, frames[cut].data[: len(frames[cut].data) // 2])
    png = frames[bomb].header.model_copy(update={"encoding": "png"})
    frames[bomb] = EncodedFrame(png, _image_bomb())
    broken = Rearranged(coil, frames)
    before = len(line.outside.dead_letters())
    with line.streaming(broken, speed_mps=None):
        expect_calm_report(line, calm, broken, coil.key)
    report = read_report(line.report(coil.key))
    assert sum(camera.unreadable for camera in report.cameras) == 3
    assert report.grade.decision != "release"
    line.until("three dead letters", lambda: len(line.outside.dead_letters()) == before + 3)


@each_seed
def test_records_that_are_no_frames_become_dead_letters_and_holes(
    line: FaultLine, calm: CalmLine, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"foreign-{seed}", seed)
    frames = list(coil.frames())
    truncated, unknown = random_.sample(frames, 2)
    rest = Rearranged(coil, [frame for frame in frames if frame not in {truncated, unknown}])
    header = truncated.header.to_json()
    later = json.dumps(json.loads(unknown.header.to_json()) | {"schema_version": 2}).encode()
    records: list[tuple[bytes, Headers]] = [
        (truncated.data, [(FRAME_HEADER, header[: random_.randrange(1, len(header))])]),
        (unknown.data, [(FRAME_HEADER, later)]),
        (b"whose is this?", []),
        (random_.randbytes(1_000), [(CONTROL_HEADER, b"coil-opened")]),
        (b"{}", [(FRAME_HEADER, random_.randbytes(200))]),
        (b"what is it called?", [(NameInBytes(b"\xff"), b"")]),
    ]
    before = len(line.outside.dead_letters())
    with line.streaming(rest):
        _send(line, records)
    expect_calm_report(line, calm, rest, coil.key)
    report = read_report(line.report(coil.key))
    assert sum(camera.missing for camera in report.cameras) == 2
    assert report.grade.decision != "release"
    line.until("dead letters", lambda: len(line.outside.dead_letters()) == before + len(records))


@each_seed
def test_frames_twice_and_out_of_order(
    line: FaultLine, calm: CalmLine, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"shuffled-{seed}", seed)
    frames = list(coil.frames())
    shuffled = [*frames, *random_.choices(frames, k=len(frames) // 4)]
    random_.shuffle(shuffled)
    with line.streaming(Rearranged(coil, shuffled), speed_mps=None):
        expect_calm_report(line, calm, coil, coil.key)


@each_seed_slowly
def test_late_frames_revise_a_report_though_the_coil_worker_dies(
    line: FaultLine, calm: CalmLine, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"late-{seed}", seed)
    frames = list(coil.frames())
    late = random_.sample(frames, 3)
    rest = Rearranged(coil, [frame for frame in frames if frame not in late])
    with line.streaming(rest, speed_mps=None):
        expect_calm_report(line, calm, rest, coil.key)
    first = line.report(coil.key)
    with Publisher(line.settings.kafka.connection()) as publisher:
        for frame in late:
            publisher.send(frame)
    line.until_inspected(coil.key, len(frames) - len(late) + random_.randint(0, len(late)))
    kill(line.replicas("CoilWorker")[0])

    def is_whole() -> bool:
        return not any(camera.missing for camera in read_report(line.report(coil.key)).cameras)

    line.until("the late frames count", is_whole)
    whole, revised = read_report(calm.report(coil)), read_report(line.report(coil.key))
    assert (revised.cameras, revised.holes, revised.events) == (whole.cameras, (), whole.events)
    assert sum(revision.late_frames for revision in revised.revisions) == len(late)
    assert line.outside.coil(coil.key).repeated == {}
    assert line.outside.lost_by_commit(line.settings.frame_worker.group) == []
    kept = line.store().joinpath(coil.key[0], coil.key[1], "run-1", "revision-1", "report.json")
    assert kept.read_bytes() == first


def _send(line: FaultLine, records: Sequence[tuple[bytes, Headers]]) -> None:
    producer = KafkaProducer(**line.settings.kafka.connection().client_options())
    try:
        for value, headers in records:
            producer.send(FRAMES_TOPIC, value=value, headers=headers).get(timeout=10)
    finally:
        producer.close()


def _image_bomb() -> bytes:
    pixels = np.zeros((BOMB_SIDE_PX, BOMB_SIDE_PX), np.uint8)
    return bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
