"""The soak in its short form; `scripts/bench soak` runs it as long as is wanted."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak
from tests.faults.marks import fault_test

pytestmark = [*fault_test, pytest.mark.slow]

SECONDS = 180.0
LEAST_FAULTS = 3
"""One comes every 30 s or, where the one before takes longer, when that has been recovered from."""


@pytest.mark.timeout(1800)
def test_a_short_soak() -> None:
    result = soak(SECONDS)
    assert result.broken == []
    assert result.frames == result.inspected + result.unreadable + result.missing
    assert result.commits_checked > 0
    assert result.growth, "no worker lived long enough to be watched"
    assert sum(fault.times for fault in result.faults.values()) >= LEAST_FAULTS
