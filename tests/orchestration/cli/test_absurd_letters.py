"""`coilwatch dead-letters` with letters that other programs left there; no Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import pytest

from orchestration.cli import dead_letters
from tests.orchestration.cli.conftest import Coilwatch
from tests.workers.streams.test_letters_of_strangers import letter_of
from workers.streams.dead_letters import ORIGIN_HEADER, LetterBox


class Topic:
    """Holds one letter whose record said that it failed in the year 31,690,708."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is open."""

    def box(self) -> LetterBox:
        origin = {
            "error": "not ours",
            "source_topic": "coilwatch.frames",
            "source_partition": 0,
            "source_offset": 7,
            "attempts": 1,
            "first_failure_ms": 10**18,
        }
        letter = letter_of([(ORIGIN_HEADER, json.dumps(origin).encode())])
        return LetterBox({letter.id: letter})

    def payload(self, _letter: object) -> bytes:
        return b"?"


@pytest.mark.parametrize("command", ["list", "list --json", "show 0-7", "export --all -o"])
def test_a_time_that_no_calendar_has_stops_no_command(
    coilwatch: Coilwatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(dead_letters, "_topic", lambda _context: Topic())
    output = [tmp_path] if command.startswith("export") else []
    ran = coilwatch("dead-letters", *command.split(), *output)
    assert ran.code == 0
    shown = ran.out if not output else (tmp_path / "0-7.json").read_text()
    assert "1970-01-01T00:00:00" in "".join(shown.split())
