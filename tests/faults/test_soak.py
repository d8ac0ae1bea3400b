"""The soak in its short form; `scripts/bench soak` runs it as long as is wanted."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak
from tests.faults.marks import fault_test

pytestmark = [*fault_test, pytest.mark.slow]

SECONDS = 180.0
MOST_GROWTH_MB = 60.0
"""A leak of a frame in a hundred, 40 KB each, would pass it within the hour; allocators wander less."""
MOST_FILES = 12.0
"""Connections that a broker's restart left to be collected."""


@pytest.mark.timeout(1800)
def test_a_short_soak() -> None:
    result = soak(SECONDS)
    assert result.broken == []
    assert result.frames == result.inspected + result.unreadable + result.missing
    assert result.commits_checked > 0
    growing = [
        growth
        for growth in result.growth
        if growth.grown_mb > MOST_GROWTH_MB or growth.grown_files > MOST_FILES
    ]
    assert growing == []
