"""What `scripts/fuzz` begins from is good; bytes that are not end in an error of ours."""

from __future__ import annotations

import pytest

from tests.security.targets import TARGETS, attempt


@pytest.mark.parametrize("name", TARGETS)
def test_targets_read_good_bytes_and_refuse_others(name: str) -> None:
    target = TARGETS[name]
    good = target.good()
    if name != "weights":
        target.read(good)
    with pytest.raises(target.errors):
        target.read(good[:5] + b"\0" + good[7:])
    attempt(target, b"")
