"""Redis is disposable: killed, empty, full or slow, the coil's report is the same."""

from __future__ import annotations

import random
from itertools import count

from orchestration.stack.processes import end
from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine, moment
from tests.faults.marks import each_seed, fault_test
from tests.faults.small_coil import SmallCoil
from tests.faults.verdict import expect_calm_report
from workers.streams.live_view import LiveView
from workers.streams.redis_rest import REST_S

pytestmark = fault_test

SLOW_S = 2.0
COIL_FRAMES = 150
"""Of a camera: 18 s of strip. A fault early on leaves time for `REST_S` while it runs."""


@each_seed
def test_redis_killed_and_restarted_empty(
    line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    coil = SmallCoil(f"redis-killed-{seed}", seed, COIL_FRAMES)
    with line.streaming(coil):
        line.until_inspected(coil.key, random_.randint(5, 25))
        end(line.redis_part.processes, at_once=True)
        inspected = line.outside.inspected(coil.key)
        line.until_inspected(coil.key, inspected + 20)
        line.restart_redis()
        live_view = LiveView(line.redis())
        back_s = line.until("the live view comes back", lambda: live_view.read(coil.key), REST_S * 2)
    expect_calm_report(line, calm, coil, coil.key)
    figures.add("Redis restarted empty: live view", seed, recovered_s=back_s)


@each_seed
def test_a_full_redis(line: FaultLine, calm: CalmLine, random_: random.Random, seed: int) -> None:
    coil = SmallCoil(f"redis-full-{seed}", seed)
    with line.streaming(coil):
        line.until_inspected(coil.key, moment(random_, coil.total_frames or 0))
        with line.full_redis():
            expect_calm_report(line, calm, coil, coil.key)
    assert line.redis().info("errorstats").get("errorstat_OOM"), "it was never full"


@each_seed
def test_a_slow_redis(line: FaultLine, calm: CalmLine, random_: random.Random, seed: int) -> None:
    coil = SmallCoil(f"redis-slow-{seed}", seed)
    with line.streaming(coil):
        # Early: near the end all may have been asked.
        line.until_inspected(coil.key, random_.randint(5, 25))
        delayed = line.redis_proxy.delayed
        line.redis_proxy.delay_s = SLOW_S
        try:
            expect_calm_report(line, calm, coil, coil.key)
        finally:
            line.redis_proxy.delay_s = 0.0
    assert line.redis_proxy.delayed > delayed, "nobody asked it while it was slow"


@each_seed
def test_a_coil_that_comes_again_runs_no_network_and_reports_the_same(
    line: FaultLine, calm: CalmLine, seed: int
) -> None:
    comes = count()

    def comes_without_network() -> bool:
        coil = SmallCoil(f"again-{seed}-{next(comes)}", seed)
        with line.streaming(coil, speed_mps=None):
            expect_calm_report(line, calm, coil, coil.key)
        return LiveView(line.redis()).counters(coil.key) == {"cache_hits": coil.total_frames}

    assert not comes_without_network()
    # Workers that met the fault of another test leave Redis alone for a while.
    line.until("a coil comes without network", comes_without_network, REST_S * 3)
