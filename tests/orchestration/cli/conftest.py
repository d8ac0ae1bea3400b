"""The command line in this process: its exit code and what it wrote."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.simulation import SimulatedCoil, write_coil
from orchestration.cli import main
from orchestration.cli.log_lines import ROOMS, warnings_only

LOGGERS = (None, "kafka", *ROOMS)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its only error line; fails where there is another number of them, or a traceback."""
        assert "Traceback" not in self.err
        (line,) = (line for line in self.err.splitlines() if line.startswith("error: "))
        return line.removeprefix("error: ")


Coilwatch = Callable[..., Ran]


@pytest.fixture
def coilwatch(capsys: pytest.CaptureFixture[str]) -> Iterator[Coilwatch]:
    """Runs `coilwatch ARGUMENTS`; logging is afterwards as it was."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    yield run
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    logging.getLogger("ray.serve").removeFilter(warnings_only)


@pytest.fixture(scope="session")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated coil of five frames a camera; not to be written to."""
    folder = tmp_path_factory.mktemp("strip")
    write_coil(SimulatedCoil(length_m=1.2), folder)
    return folder
