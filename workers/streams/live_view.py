"""The live view of open coils in Redis: what a screen shows while the strip runs. Disposable."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

import redis

from ingest.errors import BadRecordError
from ingest.records import CoilKey, Record
from workers.coil.account import CoilAccount
from workers.coil.records import CoilReport
from workers.streams.redis_rest import RedisRest

LIVE_TTL_S = 24 * 3600
"""A coil that nobody updates any more disappears from the live view after a day."""


class LiveCoil(Record):
    """How far a coil is.

    Attributes:
        length_mm: strip inspected so far, over all cameras the furthest.
        closed: the coil has its report.
    """

    line: str
    coil: str
    run: int
    inspected: int
    unreadable: int
    findings: int
    events: int
    length_mm: float
    closed: bool = False
    decision: str | None = None


def live_coil(key: CoilKey, account: CoilAccount, report: CoilReport | None = None) -> LiveCoil:
    """What is shown of a coil: its account so far, and its report once there is one."""
    counts = account.counts
    line, coil, run = key
    return LiveCoil(
        line=line,
        coil=coil,
        run=run,
        inspected=counts.inspected,
        unreadable=counts.unreadable,
        findings=counts.findings,
        events=counts.events if report is None else len(report.events),
        length_mm=counts.length_mm,
        closed=report is not None,
        decision=report.grade.decision if report else None,
    )


class LiveView:
    """Writes and reads live coils and the counters of how frames travelled; never raises for Redis' sake."""

    def __init__(self, client: redis.Redis, rest: RedisRest | None = None) -> None:
        self._client = client
        self._rest = rest or RedisRest()

    def show(self, coil: LiveCoil) -> bool:
        """Replace what is shown of a coil; whether Redis took it."""
        if self._rest.resting:
            return False
        try:
            self._client.set(_key((coil.line, coil.coil, coil.run), "state"), coil.to_json(), ex=LIVE_TTL_S)
        except redis.RedisError as error:
            self._rest.failed(error)
            return False
        return True

    def hide(self, key: CoilKey) -> bool:
        """Show a coil no more; whether Redis took it."""
        if self._rest.resting:
            return False
        try:
            self._client.delete(_key(key, "state"))
        except redis.RedisError as error:
            self._rest.failed(error)
            return False
        return True

    def read(self, key: CoilKey) -> LiveCoil | None:
        """What is shown of a coil, None when there is nothing."""
        try:
            data = cast("bytes | None", self._client.get(_key(key, "state")))
            return LiveCoil.from_json(data) if data else None
        except (redis.RedisError, BadRecordError):
            return None

    def coils(self) -> list[LiveCoil]:
        """Every coil that is shown, by line, coil and run."""
        try:
            keys = list(self._client.scan_iter("coilwatch:coil:*:state", count=500))
            data = cast("list[bytes | None]", self._client.mget(keys)) if keys else []
        except redis.RedisError:
            return []
        found: list[LiveCoil] = []
        for item in data:
            # One of another version hides no other.
            with suppress(BadRecordError):
                found += [LiveCoil.from_json(item)] if item else []
        return sorted(found, key=lambda c: (c.line, c.coil, c.run))

    def count(self, key: CoilKey, **increments: int) -> bool:
        """Add to the counters of how a coil's frames travelled; whether Redis took it."""
        if self._rest.resting:
            return False
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for name, amount in increments.items():
                    if amount:
                        pipeline.hincrby(_key(key, "counters"), name, amount)
                pipeline.expire(_key(key, "counters"), LIVE_TTL_S)
                pipeline.execute()
        except redis.RedisError as error:
            self._rest.failed(error)
            return False
        return True

    def counters(self, key: CoilKey) -> dict[str, int]:
        """The counters of how a coil's frames travelled; none while Redis is away or holds something else."""
        if self._rest.resting:
            return {}
        try:
            found = cast("dict[bytes, bytes]", self._client.hgetall(_key(key, "counters")))
        except redis.RedisError as error:
            self._rest.failed(error)
            return {}
        try:
            return {name.decode(): int(value) for name, value in found.items()}
        except ValueError:
            return {}


def _key(key: CoilKey, name: str) -> str:
    return f"coilwatch:coil:{key[0]}:{key[1]}:{key[2]}:{name}"
