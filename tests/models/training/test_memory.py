import subprocess
import sys
from pathlib import Path

import pytest

KEPT = """
import resource
import numpy as np
from models.training.memory import keep_freed_memory
{keep}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library is another one")
def test_what_is_freed_is_not_fetched_again() -> None:
    assert page_faults("keep_freed_memory()") < page_faults("") / 10


def page_faults(keep: str) -> int:
    """Page faults of an array of 128 MB in the place of one that was freed, in a process of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", KEPT.format(keep=keep)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return int(answer.stdout)
