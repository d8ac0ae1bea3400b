"""One line under attack for all faults that leave it whole; the calm line that it must equal."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator

import pytest

from tests.faults.calm import CalmLine
from tests.faults.figures import Figures
from tests.faults.line import FaultLine


class LineKeeper:
    """Has a line ready; one that did not outlive a test is replaced."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._line: FaultLine | None = None

    def line(self) -> FaultLine:
        """A line with all its replicas."""
        if self._line is None:
            line = FaultLine(self._factory.mktemp("line"))
            try:
                line.start()
            except BaseException:
                line.stop()
                raise
            self._line = line
        return self._line

    def drop(self) -> None:
        """End the line."""
        line, self._line = self._line, None
        if line is not None:
            line.stop()
        # What clients left open in these tests shall not be found in others.
        gc.collect()


@pytest.fixture(scope="package")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineKeeper]:
    keeper = LineKeeper(tmp_path_factory)
    yield keeper
    keeper.drop()


@pytest.fixture
def line(keeper: LineKeeper) -> Iterator[FaultLine]:
    line = keeper.line()
    # What one test had inspected, the next one's inspectors shall look at again.
    line.redis().flushall()
    try:
        yield line
        line.until("every replica is back", line.whole)
    except BaseException:
        keeper.drop()
        raise


@pytest.fixture(scope="session")
def calm() -> CalmLine:
    return CalmLine()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    return Figures(pytestconfig)


@pytest.fixture
def random_(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Every test and seed has moments of its own, the same ones each time."""
    return random.Random(f"{request.node.originalname}-{seed}")
