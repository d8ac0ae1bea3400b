"""The live view against a real server."""

from __future__ import annotations

import pytest
import redis

from workers.coil.account import CoilAccount
from workers.streams.live_view import LiveView, live_coil
from workers.streams.redis_client import redis_client

pytestmark = pytest.mark.stack

KEY = ("line-1", "C1", 1)


def test_a_coil_of_another_version_hides_no_other(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    try:
        client.flushall()
        view = LiveView(client)
        coil = live_coil(KEY, CoilAccount(*KEY))
        assert view.show(coil)
        client.set("coilwatch:coil:line-1/C2/1:state", b'{"of": "tomorrow"}')
        assert view.coils() == [coil]
    finally:
        client.close()


def test_a_coil_that_is_hidden_is_shown_no_more(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    try:
        client.flushall()
        view = LiveView(client)
        other = live_coil((*KEY[:2], 2), CoilAccount(*KEY[:2], 2))
        assert view.show(live_coil(KEY, CoilAccount(*KEY)))
        assert view.show(other)
        assert view.hide(KEY)
        assert view.coils() == [other]
    finally:
        client.close()


def test_nothing_is_hidden_while_redis_is_away() -> None:
    view = LiveView(redis_client("redis://127.0.0.1:1/0"))
    assert [view.hide(KEY) for _ in range(2)] == [False, False]


@pytest.mark.parametrize("field", [{"cache_hits": "many"}, {b"\xff": "1"}], ids=["value", "name"])
def test_counters_that_are_not_ours_count_nothing(redis_url: str, field: dict[str | bytes, str]) -> None:
    client = redis.Redis.from_url(redis_url)
    try:
        client.flushall()
        view = LiveView(client)
        view.count(KEY, cache_hits=2)
        assert view.counters(KEY) == {"cache_hits": 2}
        client.hset(next(client.scan_iter("*counters")), mapping=field)  # type: ignore[arg-type]
        assert view.counters(KEY) == {}
    finally:
        client.close()
