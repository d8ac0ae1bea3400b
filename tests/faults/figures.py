"""How long recoveries took: collected in `.pytest_cache/v/coilwatch/recovery`, for docs/guarantees.md."""

from __future__ import annotations

import pytest

NAME = "coilwatch/recovery"


class Figures:
    """Recovery times of a session, by fault and seed."""

    def __init__(self, config: pytest.Config) -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)

    def add(self, fault: str, seed: int, **seconds: float) -> None:
        """Keep the figures of one fault; those of an earlier session are replaced."""
        if self._cache is None:
            return
        known: dict[str, dict[str, dict[str, float]]] = self._cache.get(NAME, {})
        known.setdefault(fault, {})[str(seed)] = {name: round(s, 2) for name, s in seconds.items()}
        self._cache.set(NAME, known)
