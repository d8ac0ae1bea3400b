from __future__ import annotations

import pytest

from benchmarks.soak_growth import (
    EVERY_S,
    LEAST_WATCHED_S,
    MOST_GROWN_FILES,
    MOST_GROWN_MB,
    WARM_UP_S,
    Growth,
    _growth,
    _Life,
)

WATCHED_S = 600.0


def growth(mb_in_all: float = 0.0, files_in_all: float = 0.0, watched_s: float = WATCHED_S) -> Growth | None:
    """Of a process that doubles as it warms up, and then grows evenly."""
    life = _Life("Inspector", 0.0)
    for sample in range(int((WARM_UP_S + watched_s) / EVERY_S) + 1):
        now = sample * EVERY_S
        share = max(0.0, now - WARM_UP_S) / watched_s
        warm = min(1.0, now / WARM_UP_S)
        life.samples.append((now, 200.0 + 200.0 * warm + mb_in_all * share, int(40 + files_in_all * share)))
    return _growth(life)


@pytest.mark.parametrize(
    ("mb_in_all", "files_in_all", "says"),
    [
        (0.0, 0.0, None),
        (MOST_GROWN_MB, MOST_GROWN_FILES, None),
        (2 * MOST_GROWN_MB, 0.0, "Inspector grew by 9"),
        (0.0, 2 * MOST_GROWN_FILES, "open files in 600 s"),
    ],
    ids=["flat", "wandering", "memory", "files"],
)
def test_what_grows_after_its_warm_up_is_a_problem(
    mb_in_all: float, files_in_all: float, says: str | None
) -> None:
    found = growth(mb_in_all, files_in_all)
    assert found is not None
    if says is None:
        assert found.problem is None
    else:
        assert says in (found.problem or "")


def test_a_process_that_was_killed_soon_says_nothing() -> None:
    assert growth(10 * MOST_GROWN_MB, watched_s=LEAST_WATCHED_S / 2) is None
