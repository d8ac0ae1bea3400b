"""The live view against a real server."""

from __future__ import annotations

import pytest
import redis

from workers.streams.live_view import LiveView

pytestmark = pytest.mark.stack

KEY = ("line-1", "C1", 1)


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
