"""Folders that commands write to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestration.cli.console import activity
from orchestration.errors import OrchestrationError


class OutputError(OrchestrationError):
    """A folder that cannot be written to."""


def made_folder(folder: Path) -> Path:
    """The folder, made where it is not there: before the work, not after it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"output {folder}: expected a folder, got {error.strerror}") from None
    return folder


def written_once(folder: Path, saying: str, write: Callable[[Path], None]) -> Path:
    """The folder, written where it is not there; one that is there was written to its end.

    Args:
        folder: its name tells all that decides what is in it.
        saying: what goes on.
        write: into the folder that it is given.
    """
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with activity(saying):
            write(unfinished)
        unfinished.rename(folder)
    return folder
