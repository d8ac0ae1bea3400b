"""Workers that are killed, stopped and woken, added and taken away in mid-coil."""

from __future__ import annotations

import random
import time

import pytest
from kafka import KafkaAdminClient

from ingest.kafka import FRAMES_TOPIC
from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine, kill, moment
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.small_coil import HeldBack, SmallCoil
from tests.faults.store import store_gone
from tests.faults.verdict import expect_calm_report
from workers.streams.live_view import LiveView

pytestmark = fault_test

LONG_COIL = 160
"""Frames of a camera that take 19 s to pass: longer than it takes a publisher to notice new partitions."""


@each_seed
def test_a_killed_frame_worker(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"frame-worker-killed-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        kill(random_.choice(line.replicas("FrameWorker")))
        recovered_s = line.until_recovered()
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("kill -9 frame worker", seed, recovered_s=recovered_s)


@each_seed
@pytest.mark.parametrize("killed", [1, pytest.param(2, marks=pytest.mark.slow)], ids=["one", "all"])
def test_killed_inspectors_condemn_no_frame(
    *, line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int, killed: int
) -> None:
    coil = SmallCoil(f"inspectors-killed-{killed}-{seed}", seed)
    before = len(line.outside.dead_letters())
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        for process in random_.sample(line.replicas("Inspector"), killed):
            kill(process)
        recovered_s = line.until_recovered()
    expect_calm_report(line, calm, coil, coil.key)
    assert line.outside.dead_letters()[before:] == []
    figures.add(f"kill -9 {killed} of 2 inspectors", seed, recovered_s=recovered_s)


@each_seed
def test_a_coil_worker_killed_in_mid_coil(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"coil-worker-killed-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        kill(line.replicas("CoilWorker")[0])
        inspected = line.outside.inspected(coil.key)
        line.redis().flushall()
        live_view = LiveView(line.redis())

        def shown() -> bool:
            seen = live_view.read(coil.key)
            return seen is not None and seen.inspected >= inspected

        recovered_s = line.until("the coil is shown as it was", shown)
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("kill -9 coil worker in mid-coil", seed, recovered_s=recovered_s)


@each_seed
def test_a_coil_worker_killed_while_it_closes_a_coil(
    line: FaultLine, calm: CalmLine, figures: Figures, seed: int
) -> None:
    coil = SmallCoil(f"closing-killed-{seed}", seed)
    with line.streaming(coil, speed_mps=None):
        # The store keeps the worker between closing and report, where it is killed.
        with store_gone(line.store()):
            line.until(f"{coil.key[1]} closed", lambda: line.outside.closings(coil.key))
            kill(line.replicas("CoilWorker")[0])
        recovered_s = line.until("the report", lambda: line.reported(coil.key))
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("kill -9 coil worker between closing and report", seed, recovered_s=recovered_s)
    assert line.outside.closings(coil.key) == 1


@each_seed
def test_a_coil_worker_killed_after_its_report(line: FaultLine, calm: CalmLine, seed: int) -> None:
    coil, following = SmallCoil(f"reported-killed-{seed}", seed), SmallCoil(f"following-{seed}", seed + 1)
    with line.streaming(coil, speed_mps=None):
        worker = line.replicas("CoilWorker")[0]
        # Seen at once, it is killed before or after it has announced its report.
        line.until("the report", lambda: line.reported(coil.key), look_s=0.001)
        kill(worker)
        first = line.report(coil.key)
    with line.streaming(following, speed_mps=None):
        expect_calm_report(line, calm, following, following.key)
    assert line.report(coil.key) == first
    expect_calm_report(line, calm, coil, coil.key)
    assert line.outside.closings(coil.key) == 1


@each_seed
def test_a_frame_worker_that_sleeps_past_its_session_and_wakes(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"frame-worker-asleep-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        sleeper = random_.choice(line.replicas("FrameWorker"))
        sleeper.suspend()
        try:
            # Only when its session has ended do its frames come to the other worker.
            recovered_s = line.until_recovered()
        finally:
            sleeper.resume()
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("frame worker stopped, its session over", seed, recovered_s=recovered_s)


@each_seed_slowly
def test_workers_added_and_taken_away(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = HeldBack(f"scaled-{seed}", seed)
    half = (coil.total_frames or 0) // 2
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, half))
        started = time.monotonic()
        line.deploy(frame_workers=3, inspectors=1)
        deployed_s = time.monotonic() - started
        assert len(line.replicas("FrameWorker")) == 3
        coil.go.set()
        line.until_inspected(coil.key, half + moment(random_, half))
        assert not line.outside.closings(coil.key)
        line.deploy()
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("one frame worker more, one inspector less", seed, deployed_s=deployed_s)


@each_seed_slowly
def test_partitions_added(line: FaultLine, calm: CalmLine, random_: random.Random, seed: int) -> None:
    coil = SmallCoil(f"partitions-{seed}", seed, LONG_COIL)
    before = line.outside.frame_partitions()
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, (coil.total_frames or 0) // 2))
        admin = KafkaAdminClient(**line.settings.kafka.connection().client_options())
        try:
            admin.create_partitions({FRAMES_TOPIC: max(before) + 3})
        finally:
            admin.close()
    assert line.outside.frame_partitions() > before, "no frame went to a new partition"
    expect_calm_report(line, calm, coil, coil.key)
