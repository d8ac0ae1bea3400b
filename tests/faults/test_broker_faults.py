"""A broker that is killed and comes back on its data, and one that stands still for a while."""

from __future__ import annotations

import random
import threading
import time

from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine, kill, moment
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.small_coil import SmallCoil
from tests.faults.verdict import expect_calm_report

pytestmark = fault_test

STANDSTILL_S = 20.0
"""Twice a worker's session, and twice what the controller gives a broker."""


@each_seed
def test_a_killed_broker_comes_back_on_its_data(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"broker-killed-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        kill(line.broker())
        started = time.monotonic()
        line.restart_broker()
        answers_s = time.monotonic() - started
        line.until_recovered()
        recovered_s = time.monotonic() - started
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("kill -9 broker", seed, answers_s=answers_s, recovered_s=recovered_s)


@each_seed_slowly
def test_a_broker_that_stands_still(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"broker-still-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        broker = line.broker()
        broker.suspend()
        try:
            # The length of the fault, not a wait for something.
            threading.Event().wait(STANDSTILL_S)
        finally:
            broker.resume()
        recovered_s = line.until_recovered()
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("broker stopped for 20 s, after it", seed, recovered_s=recovered_s)
