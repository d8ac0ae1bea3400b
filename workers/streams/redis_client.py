"""A Redis client for what can be rebuilt: it gives up quickly, for the strip does not wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 1.0
"""Redis answers in under a millisecond; a slower one is skipped."""


def redis_client(url: str, options: Mapping[str, Any] | None = None) -> redis.Redis:
    """A client that connects on first use and tries each command once.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        options: further arguments of `redis.Redis.from_url`, such as `password` and `ssl_ca_certs`.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        **(options or {}),
    )
