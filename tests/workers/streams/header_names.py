"""Names of Kafka headers that are no text."""

from __future__ import annotations

from typing import Self


class NameInBytes(str):
    """A header's name that kafka-python sends as these bytes."""

    __slots__ = ("_raw",)
    _raw: bytes

    def __new__(cls, raw: bytes) -> Self:
        name = super().__new__(cls, raw.decode("latin-1"))
        name._raw = raw
        return name

    def encode(self, *_arguments: str) -> bytes:
        return self._raw
