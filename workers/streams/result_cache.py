"""The result cache: what the network said of the same pixels under the same model, in Redis.

Redis is disposable. After a failure the cache is left alone for a while; inspection goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import redis
from pydantic import ValidationError

from ingest.errors import BadRecordError
from ingest.records import EncodedFrame
from workers.inspection.placing import place
from workers.inspection.records import FrameResult, ModelIdentity
from workers.streams.redis_rest import RedisRest

RESULT_TTL_S = 24 * 3600
"""As long as frames are retained: a coil can be replayed that long."""


class ResultCache:
    """Results by pixel digest and model digest.

    A header's digest is only a claim, so each entry also names the encoded bytes it was made from: a frame
    that was damaged on its way has other bytes and misses.
    """

    def __init__(self, client: redis.Redis, rest: RedisRest | None = None) -> None:
        self._client = client
        self._rest = rest or RedisRest()

    def get(self, frames: Sequence[EncodedFrame], model: ModelIdentity) -> list[FrameResult | None] | None:
        """The cached result of each frame, None where there is none; no list at all while Redis is away."""
        if not frames:
            return []
        if self._rest.resting:
            return None
        try:
            entries = cast(
                "list[bytes | None]", self._client.mget([_key(frame, model.digest) for frame in frames])
            )
        except redis.RedisError as error:
            self._rest.failed(error)
            return None
        return [_read(entry, frame) for entry, frame in zip(entries, frames, strict=True)]

    def put(self, frames: Sequence[EncodedFrame], results: Sequence[FrameResult]) -> None:
        """Keep the results of inspected frames; unreadable ones are cheap to find out again."""
        keep = [(f, r, r.model) for f, r in zip(frames, results, strict=True) if r.model is not None]
        if not keep or self._rest.resting:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for frame, result, model in keep:
                    value = _bytes_digest(frame).encode() + result.to_json()
                    pipeline.set(_key(frame, model.digest), value, ex=RESULT_TTL_S)
                pipeline.execute()
        except redis.RedisError as error:
            self._rest.failed(error)


def _key(frame: EncodedFrame, model_digest: str) -> str:
    return f"coilwatch:result:{frame.header.digest}:{model_digest}"


def _bytes_digest(frame: EncodedFrame) -> str:
    header = frame.header
    shape = f"{header.encoding} {header.height} {header.width}".encode()
    return hashlib.blake2b(frame.data, digest_size=16, person=shape[:16]).hexdigest()


def _read(entry: bytes | None, frame: EncodedFrame) -> FrameResult | None:
    if entry is None or entry[:32] != _bytes_digest(frame).encode():
        return None
    try:
        result = FrameResult.from_json(entry[32:])
        # Valid, it may still speak of another frame: what cannot be placed would end the frame worker.
        place(frame.header, result)
    except (BadRecordError, ValidationError):
        return None
    return result
