"""The report store is gone, or full, when a coil closes."""

from __future__ import annotations

from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine
from tests.faults.marks import each_seed, each_seed_slowly, fault_test
from tests.faults.small_coil import SmallCoil
from tests.faults.store import store_full, store_gone
from tests.faults.verdict import expect_calm_report

pytestmark = fault_test


@each_seed
def test_the_report_store_is_gone_at_closing(
    line: FaultLine, calm: CalmLine, figures: Figures, seed: int
) -> None:
    coil = SmallCoil(f"no-store-{seed}", seed)
    # From its beginning: a line with nothing else to do closes the coil in a moment.
    with store_gone(line.store()), line.streaming(coil, speed_mps=None):
        line.until(f"{coil.key[1]} closed", lambda: line.outside.closings(coil.key))
        waits = f"report of coil {coil.key[1]} waits"
        line.until("the coil worker has met it", lambda: waits in line.logs())
    recovered_s = line.until("the report is written", lambda: line.reported(coil.key))
    expect_calm_report(line, calm, coil, coil.key)
    assert line.outside.closings(coil.key) == 1
    figures.add("report store back", seed, recovered_s=recovered_s)


@each_seed_slowly
def test_the_report_store_is_full_at_closing(line: FaultLine, calm: CalmLine, seed: int) -> None:
    coil = SmallCoil(f"full-store-{seed}", seed)
    room = len(calm.report(coil)) // 2
    with store_full(line.replicas("CoilWorker")[0], room), line.streaming(coil, speed_mps=None):
        line.until(f"{coil.key[1]} closed", lambda: line.outside.closings(coil.key))
        waits = f"report of coil {coil.key[1]} waits"
        line.until("the coil worker has met it", lambda: waits in line.logs())
        assert not line.reported(coil.key)
    expect_calm_report(line, calm, coil, coil.key)
    assert line.outside.closings(coil.key) == 1
    folder = line.store() / coil.key[0] / coil.key[1]
    assert [file.name for file in folder.rglob("*") if file.suffix == ".tmp"] == []
