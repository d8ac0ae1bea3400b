"""Addresses without the passwords in them, for everything that a person or a log sees."""

from __future__ import annotations

import re

MASK = "********"

_PASSWORD = re.compile(r"(//[^/@:\s]*:)\S*@")


def without_password(text: str) -> str:
    """A text whose URLs show a mask instead of their password, `@` and `/` in it included."""
    return _PASSWORD.sub(rf"\1{MASK}@", text)
