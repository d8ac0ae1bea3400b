"""What the options before the command say, for every command."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import typer

from orchestration.errors import SettingsError
from orchestration.settings import Settings
from orchestration.settings_layers import LoadedSettings, load


@dataclass
class State:
    """The options before the command."""

    settings_file: Path | None = None
    assignments: list[str] = field(default_factory=list)

    @cached_property
    def loaded(self) -> LoadedSettings:
        """Effective settings and where each came from."""
        return load(self.settings_file, assignments(self.assignments))

    @property
    def settings(self) -> Settings:
        """Effective settings."""
        return self.loaded.settings


def assignments(pairs: list[str]) -> dict[str, str]:
    """`KEY=VALUE` options as a mapping.

    Raises:
        SettingsError: an option without `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise SettingsError(f"--set: expected KEY=VALUE such as kafka.frames_partitions=4, got '{pair}'")
    return dict(pair.split("=", 1) for pair in pairs)


def state(context: typer.Context) -> State:
    """The state of a command's context."""
    found = context.find_object(State)
    return found or State()
