from __future__ import annotations

import dataclasses

import pytest
import redis

from tests.workers.streams.frames import InThisProcess, frame
from workers.inspection.records import Region
from workers.streams.redis_client import redis_client
from workers.streams.redis_rest import REST_S, RedisRest
from workers.streams.result_cache import ResultCache

pytestmark = pytest.mark.stack


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    return client


def test_equal_pixels_under_the_same_model_hit(client: redis.Redis) -> None:
    inspector, cache = InThisProcess(), ResultCache(client)
    frames = [frame("C1", 0), frame("C1", 1)]
    model = inspector.identity()
    assert cache.get(frames, model) == [None, None]
    results = inspector.submit(frames).result()
    cache.put(frames, results)
    assert cache.get([frame("C2", 1), frame("C2", 0)], model) == [results[1], results[0]]
    assert cache.get(frames, model.model_copy(update={"digest": "1" * 32})) == [None, None]


def test_a_damaged_frame_with_a_known_digest_misses(client: redis.Redis) -> None:
    inspector, cache = InThisProcess(), ResultCache(client)
    good = frame("C1", 0)
    cache.put([good], inspector.submit([good]).result())
    damaged = dataclasses.replace(good, data=good.data[:-1])
    assert cache.get([damaged], inspector.identity()) == [None]


def test_a_result_with_findings_beyond_the_frame_misses(client: redis.Redis) -> None:
    inspector, cache = InThisProcess(), ResultCache(client)
    good = frame("C1", 0)
    (result,) = inspector.submit([good]).result()
    corners = (0, 0), (good.header.height + 1, 0), (0, 9)
    region = Region(
        component=0, score=1, area_px=1, top=0, left=0, bottom=1, right=1, outline=corners, thumbnail=""
    )
    cache.put([good], [result.model_copy(update={"regions": (region,)})])
    assert cache.get([good], inspector.identity()) == [None]


def test_an_unreadable_frame_is_not_kept(client: redis.Redis) -> None:
    inspector, cache = InThisProcess(), ResultCache(client)
    damaged = dataclasses.replace(frame("C1", 0), data=b"")
    results = inspector.submit([damaged]).result()
    assert results[0].status == "unreadable"
    cache.put([damaged], results)
    assert client.dbsize() == 0


def test_without_redis_the_cache_rests_and_nothing_fails(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    gone = redis_client("redis://127.0.0.1:1")
    rest = RedisRest(clock=lambda: now[0])
    cache = ResultCache(gone, rest)
    frames, model = [frame("C1", 0)], InThisProcess().identity()
    assert cache.get(frames, model) is None
    assert cache.get(frames, model) is None
    assert caplog.text.count("left alone") == 1
    now[0] = REST_S + 1
    cache.get(frames, model)
    assert caplog.text.count("left alone") == 2
