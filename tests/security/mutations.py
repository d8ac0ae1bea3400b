"""Good bytes made bad: cut off, flipped, doubled, filled with what parsers dislike."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

NASTY_BYTES = (
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"9" * 5_000,
    b"\xff\xff\xff\xff",
    b"\0" * 8,
    b"1e999",
    b"NaN",
    b"\\ud800",
    b"\xed\xa0\x80",
)
NASTY_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**400,
    2**63,
    1e308,
    -1e308,
    "",
    "\0",
    "../../x",
    "a\nb",
    "<script>",
    "9" * 5_000,
    [],
    {},
    [[]],
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """The bytes after one to three damages."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(("cut", "flip", "insert", "overwrite", "drop", "double")))
        nasty = draw(st.sampled_from(NASTY_BYTES) | st.binary(max_size=8))
        if kind == "cut":
            del data[at:]
        elif kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            data[at:at] = nasty
        elif kind == "overwrite":
            data[at : at + len(nasty)] = nasty
        elif kind == "drop":
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data[at:at] = data[at : at + 64]
    return bytes(data)


@st.composite
def changed_json(draw: st.DrawFn, good: bytes) -> bytes:
    """JSON of the same form with one to three of its values, at any depth, replaced or left out."""
    document = json.loads(good)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        if draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            # A copy: lists may be changed in turn.
            container[key] = copy.deepcopy(draw(st.sampled_from(NASTY_VALUES)))
    return _dumped(document)


def _places(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        return []
    return [(value, key) for key, _ in children] + [
        place for _, child in children for place in _places(child)
    ]


def _dumped(document: object) -> bytes:
    return json.dumps(document).encode()
