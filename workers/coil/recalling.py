"""A coil's account made again from its log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from workers.coil.account import CoilAccount, CoilRecord
from workers.coil.frame_notes import Verdict
from workers.coil.records import CoilClosed
from workers.inspection.records import Inspection

COUNTING = (Verdict.NEW, Verdict.READ, Verdict.REPLACES)


def recall(log: Callable[[], Iterable[CoilRecord]], empty: CoilAccount) -> CoilAccount:
    """The account of a coil after all records of its log.

    Where inspections of another model took the place of earlier ones, the log is read a second time, for what
    counts alone: findings that were joined cannot be taken out again.

    Args:
        log: reads the records of the coil from its first one; called once, and once more for each closing
            with such inspections before it.
        empty: an account of that coil without records.
    """
    account = empty
    counting: dict[tuple[str, str, int], int] = {}
    for at, record in enumerate(log()):
        if account.stale and isinstance(record, CoilClosed):
            account = account.renewed(_these(log(), set(counting.values())))
        verdict = account.take(record)
        if isinstance(record, Inspection) and verdict in COUNTING:
            counting[record.side, record.camera, record.sequence] = at
    return account.renewed(_these(log(), set(counting.values()))) if account.stale else account


def _these(records: Iterable[CoilRecord], which: set[int]) -> Iterator[Inspection]:
    for at, record in enumerate(records):
        if at in which and isinstance(record, Inspection):
            yield record
