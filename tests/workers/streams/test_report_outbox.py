from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from ingest.records import CoilKey
from tests.workers.report import example
from workers.coil.records import CoilReport
from workers.report.delivery import Delivery
from workers.report.errors import StoreError, StoreHangsError
from workers.report.store import ReportLocation, ReportStore
from workers.streams.report_outbox import LONGEST_PAUSE_S, SLOW_S, ReportOutbox, WrittenReport
from workers.streams.report_writers import HANGS_S, MOST_WRITES, ReportWriters

KEY, OTHER = ("line-1", "C-1", 1), ("line-1", "C-2", 1)
WAIT_S = 20.0
Written = dict[CoilKey, WrittenReport]


class Store(ReportStore):
    """A store that takes no report of the coils in `refused`, and hangs with those in `hanging`."""

    def __init__(self) -> None:
        super().__init__("memory://outbox")
        self.refused: set[str] = set()
        self.hanging: set[str] = set()
        self.answers = threading.Event()
        self.tried: list[str] = []

    def write(self, report: CoilReport, delivery: Delivery) -> ReportLocation:
        self.tried.append(report.coil)
        if report.coil in self.hanging:
            assert self.answers.wait(WAIT_S)
        if report.coil in self.refused:
            raise StoreError("no space left")
        return super().write(report, delivery)


class Bench:
    """An outbox on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = Store()
        self.writers = ReportWriters(self.store, lambda: self.now)
        self.outbox = ReportOutbox(self.writers, lambda: self.now)

    def add(self, *coils: str) -> None:
        for coil in coils:
            self.outbox.add(("line-1", coil, 1), example.report(coil=coil), Delivery())

    def settle(self) -> Written:
        """What is written once every write that is started now has ended."""
        written = self.outbox.write()
        for write in self.writers._under_way.values():
            write.future.exception(WAIT_S)
        return written | self.outbox.write()

    def until(self, condition: Callable[[Written], bool]) -> Written:
        deadline = time.monotonic() + WAIT_S
        written: Written = {}
        while not condition(written):
            assert time.monotonic() < deadline
            written |= self.outbox.write()
        return written


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_report_is_tried_ever_more_seldom_until_the_store_takes_it(bench: Bench) -> None:
    store = bench.store
    store.refused.add("C-1")
    bench.add("C-1")
    tried_at = []
    while bench.now < 300:
        before = len(store.tried)
        assert bench.settle() == {}
        if len(store.tried) > before:
            tried_at.append(bench.now)
        bench.now += 0.5
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == LONGEST_PAUSE_S
    store.refused.clear()
    bench.now += LONGEST_PAUSE_S
    written = bench.settle()
    assert written[KEY].report.coil == "C-1"
    assert store.read(*KEY) == written[KEY].report
    assert bench.settle() == {}, "once is enough"


def test_a_report_that_waits_holds_up_no_other(bench: Bench) -> None:
    bench.store.refused.add("C-1")
    bench.add("C-1", "C-2")
    assert list(bench.settle()) == [OTHER]


def test_what_is_cleared_is_not_written(bench: Bench) -> None:
    bench.add("C-1")
    bench.outbox.clear()
    assert bench.settle() == {}
    assert bench.store.tried == []


def test_a_fault_of_ours_is_not_the_store_s(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise TypeError("for the test")

    monkeypatch.setattr(bench.store, "write", fail)
    bench.add("C-1")
    with pytest.raises(TypeError, match="for the test"):
        bench.settle()


def test_a_write_that_hangs_holds_up_no_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.store.hanging.add("C-1")
    bench.add("C-1", "C-2")
    assert list(bench.until(lambda written: OTHER in written)) == [OTHER]
    for _ in range(5):
        bench.now += SLOW_S
        assert bench.outbox.write() == {}
    assert caplog.text.count("the store has not answered") == 1
    bench.store.answers.set()
    assert list(bench.settle()) == [KEY]
    assert bench.store.tried.count("C-1") == 1


def test_a_store_that_hangs_has_few_threads(bench: Bench) -> None:
    coils = [f"C-{n}" for n in range(3 * MOST_WRITES)]
    bench.store.hanging.update(coils)
    threads = threading.active_count()
    bench.add(*coils)
    for _ in range(5):
        assert bench.outbox.write() == {}
    assert threading.active_count() == threads + MOST_WRITES
    bench.store.answers.set()
    assert len(bench.until(lambda written: len(written) == len(coils))) == len(coils)


def test_a_write_that_nobody_asks_for_any_more_ends_before_the_next_of_its_coil(bench: Bench) -> None:
    """A loop that reads its log again makes the same report, or with more in the log the next revision."""
    bench.store.hanging.add("C-1")
    bench.add("C-1")
    bench.outbox.write()
    again = ReportOutbox(bench.writers, lambda: bench.now)
    again.add(KEY, example.report(coil="C-1", revision=2), Delivery())
    bench.outbox = again
    assert bench.outbox.write() == {}
    assert bench.store.tried == ["C-1"]
    bench.store.answers.set()
    bench.until(lambda written: KEY in written)
    assert bench.store.read(*KEY).revision == 2


def test_a_process_with_a_write_that_never_ends_gives_up(bench: Bench) -> None:
    bench.store.hanging.add("C-1")
    bench.add("C-1")
    bench.outbox.write()
    bench.now += HANGS_S
    bench.outbox.write()
    bench.now += 1.0
    with pytest.raises(StoreHangsError) as caught:
        bench.outbox.write()
    assert not caught.value.retriable, "the health check fails, and Serve replaces the process"
    bench.store.answers.set()
