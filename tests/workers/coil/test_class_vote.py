from __future__ import annotations

import pytest

from tests.workers.coil.records import COIL, LINE, box, events_of, finding, inspection
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.records import DefectEvent

RULES = GradingRules.load()


def event_of(*votes: tuple[str, float | None, float]) -> DefectEvent:
    """The event of findings that adjoin: each with its class, its confidence and its length in mm."""
    findings, at = [], 0.0
    for name, confidence, length in votes:
        outline = box(at, at + length, 10, 20)
        findings.append(finding(outline, defect_class=name, class_confidence=confidence))
        at += length
    account = CoilAccount(LINE, COIL, 1)
    account.add(inspection(0, *findings))
    (event,) = events_of(account, RULES)
    return event


@pytest.mark.parametrize(
    ("votes", "expected", "confidence"),
    [
        ([("scratch", 0.9, 5.0)], "scratch", 0.9),
        ([("scratch", 0.9, 5.0), ("inclusion", 0.99, 4.0)], "scratch", 0.9),
        ([("scratch", 0.9, 3.0), ("scratch", 0.6, 1.0), ("inclusion", 0.99, 3.5)], "scratch", 0.825),
        ([("unknown", 0.4, 5.0), ("scratch", 0.9, 4.0)], "unknown", 0.4),
        ([("unknown", 0.4, 4.0), ("scratch", 0.9, 4.0)], "scratch", 0.9),
        ([("scratch", 0.9, 4.0), ("inclusion", 0.7, 4.0)], "inclusion", 0.7),
        ([("unknown", None, 4.0)], "unknown", None),
        ([("scratch", 0.9, 4.0), ("scratch", None, 8.0)], "scratch", 0.9),
    ],
    ids=["alone", "largest", "together", "unknown", "known-ties", "alphabet-ties", "no-classifier", "mixed"],
)
def test_findings_vote_with_their_area(
    votes: list[tuple[str, float | None, float]], expected: str, confidence: float | None
) -> None:
    event = event_of(*votes)
    assert (event.defect_class, event.class_confidence) == (expected, confidence)


def test_the_order_of_arrival_changes_nothing() -> None:
    outlines = [box(at, at + 3.3, 10, 20) for at in (0.0, 3.3, 6.6, 9.9)]
    found = [
        finding(outline, defect_class="scratch", class_confidence=confidence)
        for outline, confidence in zip(outlines, (0.901, 0.777, 0.653, 0.512), strict=True)
    ]
    accounts = CoilAccount(LINE, COIL, 1), CoilAccount(LINE, COIL, 1)
    for account, order in zip(accounts, (found, found[::-1]), strict=True):
        account.add(inspection(0, *order[:2]))
        account.add(inspection(1, *order[2:], along_mm=0.0))
    first, second = (events_of(account, RULES) for account in accounts)
    assert first[0].class_confidence == second[0].class_confidence == 0.711
