"""Folders that commands write to."""

from __future__ import annotations

from pathlib import Path

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
