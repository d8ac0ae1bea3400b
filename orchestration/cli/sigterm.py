"""SIGTERM to a command: it tidies up as on Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from orchestration.termination import EXIT_CODE


@contextmanager
def tidying_up_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM raises `SystemExit` in the main thread, once.

    A second one is left alone until the process ends: it would cut off what the first one has begun to tidy
    up. For main threads.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _end:
            signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as Python calls handlers
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(EXIT_CODE)
