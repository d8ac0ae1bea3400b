"""A report store that is not there, or takes nothing more, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def store_gone(store: Path) -> Iterator[None]:
    """Have a file where the reports' folder was: whoever runs this may be allowed to write everywhere."""
    aside = store.with_name(f"{store.name}-aside")
    if store.exists():
        store.rename(aside)
    store.touch()
    try:
        yield
    finally:
        store.unlink()
        if aside.exists():
            aside.rename(store)


@contextmanager
def store_full(worker: psutil.Process, room: int) -> Iterator[None]:
    """What a full disk is to a process, though nobody need fill one: no file takes more than that."""
    before = worker.rlimit(psutil.RLIMIT_FSIZE)
    worker.rlimit(psutil.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            worker.rlimit(psutil.RLIMIT_FSIZE, before)
