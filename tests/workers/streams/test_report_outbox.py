from __future__ import annotations

from itertools import pairwise

from tests.workers.report import example
from workers.coil.records import CoilReport
from workers.report.delivery import Delivery
from workers.report.errors import StoreError
from workers.report.store import ReportLocation, ReportStore
from workers.streams.report_outbox import LONGEST_PAUSE_S, ReportOutbox

KEY, OTHER = ("line-1", "C-1", 1), ("line-1", "C-2", 1)


class Store(ReportStore):
    """A store that takes no report of the coils in `refused`."""

    def __init__(self) -> None:
        super().__init__("memory://outbox")
        self.refused: set[str] = set()
        self.tried: list[str] = []

    def write(self, report: CoilReport, delivery: Delivery) -> ReportLocation:
        self.tried.append(report.coil)
        if report.coil in self.refused:
            raise StoreError("no space left")
        return super().write(report, delivery)


def test_a_report_is_tried_ever_more_seldom_until_the_store_takes_it() -> None:
    now = [0.0]
    store = Store()
    store.refused.add("C-1")
    outbox = ReportOutbox(store, lambda: now[0])
    outbox.add(KEY, example.report(coil="C-1"), Delivery())
    tried_at = []
    while now[0] < 300:
        before = len(store.tried)
        assert outbox.write() == {}
        if len(store.tried) > before:
            tried_at.append(now[0])
        now[0] += 0.5
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == LONGEST_PAUSE_S
    store.refused.clear()
    now[0] += LONGEST_PAUSE_S
    written = outbox.write()
    assert written[KEY].report.coil == "C-1"
    assert store.read(*KEY) == written[KEY].report
    assert outbox.write() == {}, "once is enough"


def test_a_report_that_waits_holds_up_no_other() -> None:
    store = Store()
    store.refused.add("C-1")
    outbox = ReportOutbox(store, lambda: 0.0)
    outbox.add(KEY, example.report(coil="C-1"), Delivery())
    outbox.add(OTHER, example.report(coil="C-2"), Delivery())
    assert list(outbox.write()) == [OTHER]


def test_what_is_cleared_is_not_written() -> None:
    store = Store()
    outbox = ReportOutbox(store, lambda: 0.0)
    outbox.add(KEY, example.report(coil="C-1"), Delivery())
    outbox.clear()
    assert outbox.write() == {}
    assert store.tried == []
