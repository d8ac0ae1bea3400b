"""The rules that release, hold or block a coil."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict


class GradingRules(BaseModel):
    """Thresholds of severity, and how many defects of each a coil may have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Rules from a TOML file; the rules that come with Coilwatch without one.

        Raises:
            BadSettingsError: names the key, what was expected and what came.
        """
        raise NotImplementedError
