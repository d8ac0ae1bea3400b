"""How far Kafka is behind a publisher with a spool, said on the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.filesize import decimal
from rich.progress import ProgressColumn, Task
from rich.text import Text

from ingest.spool_backlog import Backlog
from orchestration.cli.console import say

SHOWN_FROM_S = 1.0
"""A frame under way is no news; one that has waited this long is."""

LOOK_S = 0.5


class BacklogColumn(ProgressColumn):
    """Asks for the backlog at every refresh: the source may be waiting and tell nothing."""

    max_refresh = LOOK_S

    def __init__(self, backlog: Callable[[], Backlog]) -> None:
        super().__init__()
        self._backlog = backlog

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the same for every task
        """The backlog in a few words; nothing while Kafka keeps up."""
        return Text(backlog_note(self._backlog()), style="yellow")


class SpoolTeller:
    """Says, within its block, when frames begin to go to disk, when the first go lost, when Kafka has all."""

    def __init__(self, where: Path, backlog: Callable[[], Backlog]) -> None:
        self._where = where
        self._backlog = backlog
        self._spooling = False
        self._dropped = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="spool-teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Look at the backlog and say what is new."""
        backlog = self._backlog()
        if bool(backlog.spooled_bytes) != self._spooling:
            self._spooling = not self._spooling
            cause = backlog.waiting_for or "Kafka is slow"
            say(f"{cause}: frames go to {self._where}." if self._spooling else "Kafka has every frame again.")
        if backlog.dropped and not self._dropped:
            say(f"{self._where} is full: the oldest frames are dropped; the report will name them.")
        self._dropped = backlog.dropped

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()


def backlog_note(backlog: Backlog) -> str:
    """A backlog in a few words; empty while Kafka keeps up."""
    if backlog.age_s < SHOWN_FROM_S:
        return ""
    parts = [f"Kafka {backlog.frames} frames ({decimal(backlog.data_bytes)}, {backlog.age_s:.0f} s) behind"]
    if backlog.spooled_bytes:
        parts.append(f"{decimal(backlog.spooled_bytes)} spooled")
    if backlog.dropped:
        parts.append(f"{backlog.dropped} dropped")
    if backlog.waiting_for:
        parts.append(backlog.waiting_for)
    return ", ".join(parts)
