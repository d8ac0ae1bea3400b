"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

PIPED_WIDTH = 160
"""Rich takes 80 columns where there is no terminal, and folds the values that somebody greps for."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

if not out.is_terminal:
    out.width = PIPED_WIDTH

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tabs and ends of lines."""

DECISION_STYLE = {"release": "bold green", "hold": "bold yellow", "block": "bold red"}


def frames_progress(*further: ProgressColumn) -> Progress:
    """A progress bar that counts frames; each of its tasks has a `note`, and further columns follow it."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        *further,
        console=err,
    )


@contextmanager
def activity(line: str) -> Iterator[Callable[[str], None]]:
    """Say what is going on: a spinner on a terminal, lines elsewhere.

    Yields:
        Says what goes on now.
    """
    if err.is_terminal:
        with err.status(line) as status:
            yield status.update
    else:
        say(line)
        yield say


def say(line: str) -> None:
    """One line to standard error, unfolded."""
    err.print(harmless(line), markup=False, soft_wrap=True)


def harmless(text: str) -> str:
    """Text without what moves a terminal's cursor or changes its colours: names of files may hold that."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
