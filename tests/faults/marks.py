"""What every fault test is marked with, and which seeds a fault is tried with."""

from __future__ import annotations

import pytest

fault_test = [
    pytest.mark.stack,
    pytest.mark.timeout(600),
    # kafka-python leaves sockets that found no broker to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2)]
each_seed = pytest.mark.parametrize("seed", [0, *SLOW])
"""One seed with every run of the tests, the others with the slow ones."""
each_seed_slowly = pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), *SLOW])
