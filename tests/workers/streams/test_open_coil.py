"""When a coil closes, and what it holds back until then."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.workers.coil.records import COIL, LINE, closed, inspection, opened
from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.records import CoilClosed, CoilReopened
from workers.streams.messages import LogPlace
from workers.streams.open_coil import OpenCoil
from workers.streams.settings import CoilLoopSettings

SETTINGS = CoilLoopSettings(grace_s=10, idle_s=100)
CLOSED = CoilClosed(line=LINE, coil=COIL, run=1, reason="idle")
REOPENED = CoilReopened(line=LINE, coil=COIL, run=1, reason="again")


def coil(*records: CoilRecord) -> OpenCoil:
    account = CoilAccount(LINE, COIL, 1)
    for record in records:
        account.take(record)
    return OpenCoil(account, datetime.now(UTC), heard_at=0.0)


@pytest.mark.parametrize(
    ("records", "waits_s", "reason"),
    [
        ([opened(), inspection(0), closed(1)], 0, "complete"),
        ([opened(), inspection(0), closed(2)], 10, "grace time passed"),
        ([opened(), inspection(0)], 100, "idle"),
        ([opened("left", "right"), closed(0)], 100, "idle"),
        ([inspection(0), closed(1)], None, None),
        ([opened(), closed(1), CLOSED], None, None),
        ([opened(), closed(1), CLOSED, inspection(0)], 0, "complete"),
        ([opened(), closed(2), CLOSED, inspection(0)], 10, "grace time passed"),
        ([opened(), closed(0), CLOSED, inspection(0)], 10, "complete"),
        ([opened(), CLOSED, inspection(0)], 100, "idle"),
        ([opened(), CLOSED, inspection(0), closed(1)], 0, "complete"),
        ([opened(), CLOSED, REOPENED], 10, "idle"),
        ([opened(), closed(0), CLOSED, REOPENED], 10, "complete"),
    ],
    ids=[
        "complete",
        "a frame is missing",
        "never closes",
        "a camera never starts",
        "never opened",
        "closed",
        "the missing frame is late",
        "one of two is late",
        "one that nobody missed is late",
        "runs on after standing still",
        "has run on to its end",
        "reopened before its end",
        "reopened",
    ],
)
def test_a_coil_closes_when_nothing_more_is_waited_for(
    records: list[CoilRecord], waits_s: float | None, reason: str | None
) -> None:
    one = coil(*records)
    if waits_s:
        assert one.why_ended(waits_s - 0.1, SETTINGS) is None
    assert one.why_ended(1e9 if waits_s is None else waits_s, SETTINGS) == reason
    one.closing = True
    assert one.why_ended(1e9, SETTINGS) is None


def test_offsets_are_held_until_a_report_tells_of_them() -> None:
    one = coil(opened())
    for partition, offset in ((0, 5), (0, 9), (1, 3)):
        one.hear(partition, offset, now=1.0)
    assert one.held == {0: 5, 1: 3}
    one.closed()
    one.hear(0, 12, now=2.0)
    assert one.held == {0: 5, 1: 3}
    assert one.reporting == (LogPlace(partition=0, first=5, last=9), LogPlace(partition=1, first=3, last=3))
    assert one.announced()
    assert one.held == {0: 12}
    one.closed()
    assert not one.announced()
    assert one.held == {}
